"""Every compiled kernel under its name; importing this loads Numba. `minigen/kernels/reference` has the same names."""

from minigen.kernels.attention.attend import (
    attend,
    attend_grad,
)
from minigen.kernels.convolution.conv2d import (
    conv2d,
    conv2d_input_grad,
    conv2d_weight_grad,
)
from minigen.kernels.recurrent.layers import (
    gru,
    gru_grad,
    lstm,
    lstm_grad,
    rnn,
    rnn_grad,
)
from minigen.kernels.rows.bias import (
    bias_leaky,
    bias_leaky_grad,
)
from minigen.kernels.rows.elementwise import (
    add,
    elu,
    elu_grad,
    erf,
    gelu,
    gelu_grad,
    leaky_relu,
    leaky_relu_grad,
    multiply,
    sigmoid,
    sigmoid_grad,
    silu,
    silu_grad,
    softplus,
    subtract,
    tanh_grad,
)
from minigen.kernels.rows.embedding import (
    gather_rows,
    scatter_rows,
)
from minigen.kernels.rows.group_normalization import (
    group_norm,
    group_norm_grad,
)
from minigen.kernels.rows.losses import (
    bce_with_logits,
    bce_with_logits_grad,
    bce_with_logits_sum,
    cross_entropy,
    cross_entropy_grad,
    log_softmax,
    log_softmax_grad,
    softmax,
    softmax_grad,
    squared_error_grad,
    squared_error_sum,
)
from minigen.kernels.rows.mask import (
    dropout,
)
from minigen.kernels.rows.normalization import (
    batch_norm,
    batch_norm_grad,
    batch_norm_inference,
    layer_norm,
    layer_norm_grad,
)
from minigen.kernels.rows.optimizer import (
    adagrad,
    adam,
    global_norm,
    rmsprop,
    sgd,
)
from minigen.kernels.rows.pooling import (
    avg_pool2d,
    avg_pool2d_grad,
    max_pool2d,
    max_pool2d_gather,
    max_pool2d_scatter,
)
from minigen.kernels.rows.sums import (
    total,
)
from minigen.kernels.tile.dense import (
    matmul,
)

__all__ = [
    "adagrad",
    "adam",
    "add",
    "attend",
    "attend_grad",
    "avg_pool2d",
    "avg_pool2d_grad",
    "batch_norm",
    "batch_norm_grad",
    "batch_norm_inference",
    "bce_with_logits",
    "bce_with_logits_grad",
    "bce_with_logits_sum",
    "bias_leaky",
    "bias_leaky_grad",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "cross_entropy",
    "cross_entropy_grad",
    "dropout",
    "elu",
    "elu_grad",
    "erf",
    "gather_rows",
    "gelu",
    "gelu_grad",
    "global_norm",
    "group_norm",
    "group_norm_grad",
    "gru",
    "gru_grad",
    "layer_norm",
    "layer_norm_grad",
    "leaky_relu",
    "leaky_relu_grad",
    "log_softmax",
    "log_softmax_grad",
    "lstm",
    "lstm_grad",
    "matmul",
    "max_pool2d",
    "max_pool2d_gather",
    "max_pool2d_scatter",
    "multiply",
    "rmsprop",
    "rnn",
    "rnn_grad",
    "scatter_rows",
    "sgd",
    "sigmoid",
    "sigmoid_grad",
    "silu",
    "silu_grad",
    "softmax",
    "softmax_grad",
    "softplus",
    "squared_error_grad",
    "squared_error_sum",
    "subtract",
    "tanh_grad",
    "total",
]
