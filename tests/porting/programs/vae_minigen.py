"""A variational autoencoder, with given noise."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


class VAE(nn.Module):
    def __init__(self, rng):
        super().__init__()
        self.hidden = nn.Linear(20, 32, rng=rng)
        self.mu = nn.Linear(32, 4, rng=rng)
        self.logvar = nn.Linear(32, 4, rng=rng)
        self.decoder = nn.Sequential(nn.Linear(4, 32, rng=rng), nn.ReLU(), nn.Linear(32, 20, rng=rng))

    def forward(self, x, noise):
        h = mg.relu(self.hidden(x))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + mg.exp(0.5 * logvar) * noise
        return self.decoder(z), mu, logvar


def build(rng):
    return VAE(rng)


def train(model, x, y):
    x = mg.sigmoid(mg.tensor(x))
    noise = mg.linspace(-1, 1, 4 * len(x)).reshape(len(x), 4)
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(20):
        logits, mu, logvar = model(x, noise)
        reconstruction = mg.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        kl = -0.5 * mg.sum(1 + logvar - mu**2 - logvar.exp(), axis=1).mean()
        loss = reconstruction + kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
