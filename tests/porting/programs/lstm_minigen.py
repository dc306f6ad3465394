"""A classifier of sequences."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


class Classifier(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.embedding = nn.Embedding(30, 8, rng=rng)
        self.lstm = nn.LSTM(8, 16, num_layers=2, rng=rng)
        self.out = nn.Linear(16, 4, rng=rng)

    def forward(self, x):
        _, (h, _) = self.lstm(self.embedding(x))
        return self.out(h[-1])


def build(rng):
    return Classifier(rng)


def train(model, x, y):
    x, y = mg.tensor(x), mg.tensor(y)
    optimizer = optim.RMSprop(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
