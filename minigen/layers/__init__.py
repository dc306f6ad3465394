"""Layers: parts of networks with weights, and the containers that join them."""

from minigen.layers import init
from minigen.layers.activation import ELU, GELU, LeakyReLU, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from minigen.layers.attention import KeyValueCache, MultiHeadAttention, TransformerBlock
from minigen.layers.containers import ModuleList, Sequential
from minigen.layers.convolution import Conv2d, ConvTranspose2d
from minigen.layers.dropout import Dropout
from minigen.layers.embedding import Embedding
from minigen.layers.linear import Linear
from minigen.layers.loss import (
    BCELoss,
    BCEWithLogitsLoss,
    CosineEmbeddingLoss,
    CrossEntropyLoss,
    CTCLoss,
    GaussianNLLLoss,
    HuberLoss,
    KLDivLoss,
    L1Loss,
    MarginRankingLoss,
    MSELoss,
    NLLLoss,
    SmoothL1Loss,
    TripletMarginLoss,
)
from minigen.layers.module import Module, Parameter
from minigen.layers.normalization import BatchNorm, LayerNorm
from minigen.layers.pooling import AvgPool2d, MaxPool2d, Upsample
from minigen.layers.positions import LearnedPositions, SinusoidalPositions
from minigen.layers.recurrent import GRU, LSTM, RNN
from minigen.layers.shape import Flatten, Reshape
from minigen.layers.summary import Summary, summary

__all__ = [
    "Module",
    "Parameter",
    "Sequential",
    "ModuleList",
    "Linear",
    "Conv2d",
    "ConvTranspose2d",
    "Embedding",
    "MultiHeadAttention",
    "TransformerBlock",
    "KeyValueCache",
    "LearnedPositions",
    "SinusoidalPositions",
    "RNN",
    "LSTM",
    "GRU",
    "MaxPool2d",
    "AvgPool2d",
    "Upsample",
    "Flatten",
    "Reshape",
    "BatchNorm",
    "LayerNorm",
    "Dropout",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "Tanh",
    "Sigmoid",
    "Softplus",
    "GELU",
    "SiLU",
    "Softmax",
    "BCELoss",
    "BCEWithLogitsLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "CTCLoss",
    "GaussianNLLLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MarginRankingLoss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
    "TripletMarginLoss",
    "init",
    "summary",
    "Summary",
]
