"""The critic of a WGAN with gradient penalty, on given samples of the generator."""

import torch
from torch import nn, optim


def build():
    return nn.Sequential(nn.Linear(20, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


def penalty(critic, real, fake, share):
    x = (share * real + (1 - share) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return ((gradient.norm(2, dim=1) - 1) ** 2).mean()


def train(model, x, y):
    real, fake = torch.tensor(x), torch.tensor(x[::-1].copy() * 2 + 1)
    share = torch.rand(len(x), 1) * 0 + 0.3
    optimizer = optim.Adam(model.parameters(), lr=1e-3, betas=(0.0, 0.9))
    losses = []
    for _ in range(20):
        loss = model(fake).mean() - model(real).mean() + 10 * penalty(model, real, fake, share)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
