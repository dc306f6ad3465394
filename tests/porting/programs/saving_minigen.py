"""Training broken off, saved, loaded and gone on with; evaluation."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


def build(rng):
    return nn.Sequential(nn.Linear(20, 32, rng=rng), nn.ReLU(), nn.Dropout(0.0, rng=rng), nn.Linear(32, 4, rng=rng))


def steps(model, optimizer, x, y):
    losses = []
    model.train()
    for _ in range(10):
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def train(model, x, y):
    x, y = mg.tensor(x), mg.tensor(y)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    losses = steps(model, optimizer, x, y)
    mg.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "checkpoint.safetensors")

    saved = mg.load("checkpoint.safetensors")
    model = build(mg.random.generator(0))
    model.load_state_dict(saved["model"])
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    optimizer.load_state_dict(saved["optimizer"])
    losses += steps(model, optimizer, x, y)
    model.eval()
    with mg.no_grad():
        accuracy = (model(x).argmax(axis=-1) == y).mean()
    return [*losses, accuracy.item()]
