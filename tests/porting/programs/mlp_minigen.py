"""A classifier of two layers."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


def build(rng):
    return nn.Sequential(nn.Linear(20, 32, rng=rng), nn.ReLU(), nn.Linear(32, 4, rng=rng))


def train(model, x, y):
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    criterion = nn.CrossEntropyLoss()
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = criterion(model(mg.tensor(x)), mg.tensor(y))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
