"""An operation with a gradient of its own."""

import numpy as np

import minigen as mg
from minigen import layers as nn
from minigen import optim


class Swish(mg.Function):
    def forward(self, x):
        self.save_inputs(0)
        return x / (1 + np.exp(-x))

    def backward(self, grad):
        x = self.saved_input(0)
        s = mg.sigmoid(x)
        return (grad * s * (1 + x * (1 - s)),)


class Net(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.hidden = nn.Linear(20, 32, rng=rng)
        self.out = nn.Linear(32, 4, rng=rng)

    def forward(self, x):
        return self.out(Swish()(self.hidden(x)))


def build(rng):
    return Net(rng)


def train(model, x, y):
    x, y = mg.tensor(x), mg.tensor(y)
    optimizer = optim.Adagrad(model.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
