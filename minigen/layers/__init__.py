"""Layers: parts of networks with weights, and the containers that join them."""

from typing import TYPE_CHECKING

from minigen import torch_names
from minigen.layers import init
from minigen.layers.activation import (
    ELU,
    GELU,
    GLU,
    SELU,
    Hardswish,
    LeakyReLU,
    LogSigmoid,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    ReLU6,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from minigen.layers.attention import KeyValueCache, MultiHeadAttention, TransformerBlock
from minigen.layers.cells import GRUCell, LSTMCell, RNNCell
from minigen.layers.containers import ModuleList, Sequential
from minigen.layers.convolution import Conv2d, ConvTranspose2d
from minigen.layers.convolution_nd import Conv1d, Conv3d, ConvTranspose1d
from minigen.layers.dictionaries import ModuleDict, ParameterDict, ParameterList
from minigen.layers.dropout import Dropout, Dropout2d
from minigen.layers.embedding import Embedding
from minigen.layers.group_normalization import GroupNorm, InstanceNorm, RMSNorm
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
from minigen.layers.parametrize import remove_parametrizations, spectral_norm, weight_norm
from minigen.layers.patches import Fold, Pad, PixelShuffle, PixelUnshuffle, Unfold
from minigen.layers.pooling import (
    AdaptiveAvgPool2d,
    AdaptiveMaxPool2d,
    AvgPool1d,
    AvgPool2d,
    MaxPool1d,
    MaxPool2d,
    Upsample,
)
from minigen.layers.positions import LearnedPositions, SinusoidalPositions
from minigen.layers.recurrent import GRU, LSTM, RNN
from minigen.layers.shape import Flatten, Identity, Reshape
from minigen.layers.summary import Summary, summary

__all__ = [
    "Module",
    "Parameter",
    "Sequential",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
    "ParameterDict",
    "Linear",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
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
    "RNNCell",
    "LSTMCell",
    "GRUCell",
    "MaxPool1d",
    "AvgPool1d",
    "MaxPool2d",
    "AvgPool2d",
    "AdaptiveAvgPool2d",
    "AdaptiveMaxPool2d",
    "Upsample",
    "PixelShuffle",
    "PixelUnshuffle",
    "Unfold",
    "Fold",
    "Pad",
    "Flatten",
    "Reshape",
    "Identity",
    "BatchNorm",
    "LayerNorm",
    "GroupNorm",
    "InstanceNorm",
    "RMSNorm",
    "Dropout",
    "Dropout2d",
    "ReLU",
    "LeakyReLU",
    "PReLU",
    "ReLU6",
    "ELU",
    "SELU",
    "Tanh",
    "Sigmoid",
    "LogSigmoid",
    "Softplus",
    "GELU",
    "GLU",
    "SiLU",
    "Mish",
    "Hardswish",
    "Softmax",
    "LogSoftmax",
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
    "spectral_norm",
    "weight_norm",
    "remove_parametrizations",
    "init",
    "summary",
    "Summary",
]

if not TYPE_CHECKING:
    torch_names.explain_constructors(globals(), __all__)
    __getattr__ = torch_names.module_names(__name__)
