"""Weights from and to PyTorch's `state_dict`, with names and layouts turned (PyTorch itself is not needed), and ONNX.

    module = minigen.interop.from_torch(module, torch_module.state_dict())
    arrays = minigen.interop.to_torch(module)
    torch_module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})

    minigen.interop.to_onnx("model.onnx", module, images)  # with the extra `onnx`

layouts.py   how the parameters of one layer are named and laid out there
weights.py   all layers of a module
onnx/        modules as ONNX models
"""

from minigen.interop.onnx import to_onnx
from minigen.interop.weights import from_torch, to_torch

__all__ = ["from_torch", "to_onnx", "to_torch"]
