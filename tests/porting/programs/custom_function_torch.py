"""An operation with a gradient of its own."""

import torch
import torch.nn.functional as F
from torch import nn, optim


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x / (1 + (-x).exp())

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * s * (1 + x * (1 - s))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 32)
        self.out = nn.Linear(32, 4)

    def forward(self, x):
        return self.out(Swish.apply(self.hidden(x)))


def build():
    return Net()


def train(model, x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    optimizer = optim.Adagrad(model.parameters(), lr=0.05)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
