"""Optimizers over one flat parameter buffer, gradient clipping, learning-rate schedules, averaged weights."""

from typing import TYPE_CHECKING

from minigen import torch_names
from minigen.optim.adadelta import Adadelta
from minigen.optim.adagrad import Adagrad
from minigen.optim.adam import Adam, AdamW
from minigen.optim.adamax import Adamax
from minigen.optim.clip import clip_grad_norm, clip_grad_value, clip_weights
from minigen.optim.ema import EMA
from minigen.optim.lbfgs import LBFGS
from minigen.optim.lion import Lion
from minigen.optim.muon import Muon
from minigen.optim.nadam import NAdam
from minigen.optim.one_cycle import OneCycleLR
from minigen.optim.optimizer import Optimizer
from minigen.optim.plateau import ReduceLROnPlateau
from minigen.optim.radam import RAdam
from minigen.optim.rmsprop import RMSprop
from minigen.optim.schedule import (
    CosineAnnealingWarmRestarts,
    CosineLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    Schedule,
    StepLR,
)
from minigen.optim.sequential import SequentialLR, WarmupLR
from minigen.optim.sgd import SGD

__all__ = [
    "SGD",
    "RMSprop",
    "Adagrad",
    "Adam",
    "AdamW",
    "NAdam",
    "RAdam",
    "Adamax",
    "Adadelta",
    "Lion",
    "Muon",
    "LBFGS",
    "Optimizer",
    "clip_grad_norm",
    "clip_grad_value",
    "clip_weights",
    "StepLR",
    "MultiStepLR",
    "ExponentialLR",
    "LinearLR",
    "PolynomialLR",
    "LambdaLR",
    "OneCycleLR",
    "CosineAnnealingWarmRestarts",
    "SequentialLR",
    "CosineLR",
    "WarmupLR",
    "ReduceLROnPlateau",
    "Schedule",
    "EMA",
]

if not TYPE_CHECKING:
    torch_names.explain_constructors(globals(), __all__)
    __getattr__ = torch_names.module_names(__name__)
