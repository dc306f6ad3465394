"""The flat buffers under the parameters: copied with the optimizer, and never changed behind a holder's back."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

import minigen as mg
from minigen import optim
from minigen.errors import GradientError


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copied_optimizer_trains_the_copied_parameters(duplicate: Callable):
    parameters = [mg.tensor(np.ones((2, 3)), requires_grad=True), mg.tensor(np.zeros(3), requires_grad=True)]
    optimizer = optim.Adam(parameters, lr=0.1)
    mg.l2_penalty(parameters).backward()
    optimizer.step()
    twins, twin = duplicate((parameters, optimizer))
    for own, its in ((parameters, optimizer), (twins, twin)):
        its.zero_grad()
        mg.l2_penalty(own).backward()
        its.step()
    assert [p.tolist() for p in twins] == [p.tolist() for p in parameters]


def test_a_kept_gradient_that_is_overwritten_is_noticed():
    p, x = mg.tensor([1.0], requires_grad=True), mg.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    (p * 2.0).sum().backward()
    y = (x * p.grad).sum()
    optimizer.zero_grad()
    (p * 5.0).sum().backward()
    with pytest.raises(GradientError, match="changed in place"):
        y.backward()


def test_a_kept_gradient_that_is_clipped_is_noticed():
    p, x = mg.tensor([1.0], requires_grad=True), mg.tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    (p * 2.0).sum().backward()
    y = (x * p.grad).sum()
    optim.clip_grad_norm(optimizer, 0.1)
    with pytest.raises(GradientError, match="changed in place"):
        y.backward()
