"""A block of attention over a sequence."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


class Block(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.embedding = nn.Embedding(30, 16, rng=rng)
        self.attention = nn.MultiHeadAttention(16, 2, rng=rng)
        self.norm = nn.LayerNorm(16)
        self.out = nn.Linear(16, 4, rng=rng)

    def forward(self, x):
        x = self.embedding(x)
        y = self.attention(x)
        x = self.norm(x + y)
        return self.out(mg.gelu(x).mean(axis=1))


def build(rng):
    return Block(rng)


def train(model, x, y):
    x, y = mg.tensor(x), mg.tensor(y)
    optimizer = optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
