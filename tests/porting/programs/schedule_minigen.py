"""Parameter groups, a schedule, and clipping of gradients."""

import minigen as mg
from minigen import layers as nn
from minigen import optim


def build(rng):
    return nn.Sequential(nn.Linear(20, 32, rng=rng), nn.Tanh(), nn.Linear(32, 4, rng=rng))


def train(model, x, y):
    x, y = mg.tensor(x), mg.tensor(y)
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters()}]
    optimizer = optim.SGD(groups, lr=0.5, momentum=0.9, weight_decay=1e-3, nesterov=True)
    scheduler = optim.StepLR(optimizer, step_size=5, gamma=0.5)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), y)
        loss.backward()
        optim.clip_grad_norm(model.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses + [group["lr"] for group in optimizer.param_groups]
