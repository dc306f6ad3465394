"""A module with a parameter and a buffer of its own."""

import torch
from torch import nn, optim


class Standardize(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))

    def forward(self, x):
        if self.training:
            self.mean.copy_(0.9 * self.mean + 0.1 * x.detach().mean(dim=0))
        return (x - self.mean) * self.scale


def build():
    return nn.Sequential(Standardize(20), nn.Linear(20, 1))


def train(model, x, y):
    x, y = torch.tensor(x), torch.tensor(y, dtype=torch.float32)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = ((model(x).squeeze(1) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
