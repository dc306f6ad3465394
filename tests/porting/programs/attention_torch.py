"""A block of attention over a sequence."""

import torch
import torch.nn.functional as F
from torch import nn, optim


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 16)
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.out = nn.Linear(16, 4)

    def forward(self, x):
        x = self.embedding(x)
        y, _ = self.attention(x, x, x)
        x = self.norm(x + y)
        return self.out(F.gelu(x).mean(dim=1))


def build():
    return Block()


def train(model, x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
