"""Optimizers over one flat parameter buffer, gradient clipping, learning-rate schedules, averaged weights."""

from minigen.optim.adagrad import Adagrad
from minigen.optim.adam import Adam, AdamW
from minigen.optim.clip import clip_grad_norm, clip_grad_value
from minigen.optim.ema import EMA
from minigen.optim.optimizer import Optimizer
from minigen.optim.rmsprop import RMSprop
from minigen.optim.schedule import CosineLR, ReduceLROnPlateau, Schedule, StepLR, WarmupLR
from minigen.optim.sgd import SGD

__all__ = [
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "clip_grad_norm",
    "clip_grad_value",
    "StepLR",
    "CosineLR",
    "WarmupLR",
    "ReduceLROnPlateau",
    "Schedule",
    "EMA",
]
