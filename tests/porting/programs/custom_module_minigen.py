"""A module with a parameter and a buffer of its own."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


class Standardize(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.scale = nn.Parameter(mg.ones(features))
        self.register_buffer("mean", mg.zeros(features).numpy())

    def forward(self, x):
        if self.training:
            self.mean[:] = 0.9 * self.mean + 0.1 * x.detach().numpy().mean(axis=0)
        return (x - self.mean) * self.scale


def build(rng):
    return nn.Sequential(Standardize(20), nn.Linear(20, 1, rng=rng))


def train(model, x, y):
    x, y = mg.tensor(x), mg.tensor(y, dtype="float32")
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = ((model(x).squeeze(1) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
