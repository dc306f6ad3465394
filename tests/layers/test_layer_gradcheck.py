"""Gradients of every layer, in x and in all parameters, against central differences, to second order."""

import pytest

import minigen as mg
from minigen import layers
from minigen.autograd.verify.verification import Checkable
from minigen.layers.samples import SAMPLES


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_gradients(sample: Checkable):
    assert mg.gradcheck(sample.call, sample.tensors(mg.random.generator(1)), order=2)


def test_every_layer_has_a_sample():
    kinds = [getattr(layers, name) for name in layers.__all__]
    names = {kind.__name__ for kind in kinds if isinstance(kind, type) and issubclass(kind, layers.Module)}
    assert names - {"Module", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"} == {
        sample.operation for sample in SAMPLES
    }
