"""A variational autoencoder, with given noise."""

import torch
import torch.nn.functional as F
from torch import nn, optim


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(20, 32)
        self.mu = nn.Linear(32, 4)
        self.logvar = nn.Linear(32, 4)
        self.decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20))

    def forward(self, x, noise):
        h = F.relu(self.hidden(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.exp(0.5 * logvar) * noise
        return self.decoder(z), mu, logvar


def build():
    return VAE()


def train(model, x, y):
    x = torch.sigmoid(torch.tensor(x))
    noise = torch.linspace(-1, 1, 4 * len(x)).reshape(len(x), 4)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        logits, mu, logvar = model(x, noise)
        reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp(), dim=1).mean()
        loss = reconstruction + kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
