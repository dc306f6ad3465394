"""Training broken off, saved, loaded and gone on with; evaluation."""

import torch
import torch.nn.functional as F
from torch import nn, optim


def build():
    return nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Dropout(0.0), nn.Linear(32, 4))


def steps(model, optimizer, x, y):
    losses = []
    model.train()
    for _ in range(10):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def train(model, x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    losses = steps(model, optimizer, x, y)
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, "checkpoint.pt")

    saved = torch.load("checkpoint.pt")
    model = build()
    model.load_state_dict(saved["model"])
    optimizer = optim.Adam(model.parameters(), lr=1e-2)
    optimizer.load_state_dict(saved["optimizer"])
    losses += steps(model, optimizer, x, y)
    model.eval()
    with torch.no_grad():
        accuracy = (model(x).argmax(dim=-1) == y).float().mean()
    return [*losses, accuracy.item()]
