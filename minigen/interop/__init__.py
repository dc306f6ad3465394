"""Weights from and to PyTorch's `state_dict`, with names and layouts turned. PyTorch itself is not needed.

    module = minigen.interop.from_torch(module, torch_module.state_dict())
    arrays = minigen.interop.to_torch(module)
    torch_module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})

layouts.py   how the parameters of one layer are named and laid out there
weights.py   all layers of a module
"""

from minigen.interop.weights import from_torch, to_torch

__all__ = ["from_torch", "to_torch"]
