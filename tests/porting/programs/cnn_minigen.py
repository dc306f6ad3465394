"""A convolutional classifier with batch normalization."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


class Net(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1, rng=rng)
        self.norm = nn.BatchNorm(8)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(8 * 6 * 6, 4, rng=rng)

    def forward(self, x):
        x = self.pool(mg.relu(self.norm(self.conv(x))))
        return self.fc(mg.flatten(x, 1))


def build(rng):
    return Net(rng)


def train(model, x, y):
    x, y = mg.tensor(x), mg.tensor(y)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    model.train()
    for _ in range(20):
        loss = mg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with mg.no_grad():
        losses.append((model(x).argmax(axis=1) == y).mean().item())
    return losses
