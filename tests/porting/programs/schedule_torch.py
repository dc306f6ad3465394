"""Parameter groups, a schedule, and clipping of gradients."""

import torch
import torch.nn.functional as F
from torch import nn, optim


def build():
    return nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 4))


def train(model, x, y):
    x, y = torch.tensor(x), torch.tensor(y)
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[2].parameters()}]
    optimizer = optim.SGD(groups, lr=0.5, momentum=0.9, weight_decay=1e-3, nesterov=True)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=5, gamma=0.5)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses + [group["lr"] for group in optimizer.param_groups]
