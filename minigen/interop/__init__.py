"""From and to PyTorch, weights and functions, and ONNX. For weights PyTorch itself is not needed.

    module = minigen.interop.from_torch(module, torch_module.state_dict())
    arrays = minigen.interop.to_torch(module)
    torch_module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    model = minigen.interop.gpt2("model.safetensors", heads=12)

    module = minigen.interop.from_torch_function(torch_module)
    torch_module = minigen.interop.to_torch_function(module)

    minigen.interop.to_onnx("model.onnx", module, images)  # with the extra `onnx`

layouts.py     how the parameters of one layer are named and laid out there
flattened.py   features of flattened images, whose order differs
weights.py     all layers of a module
gpt2.py        a trained GPT-2 as the model `gpt`
borrowed.py    functions of PyTorch in minigen's graph
lent.py        functions of minigen in PyTorch's graph
memory.py      one memory as an array and as a tensor of PyTorch
onnx/          modules as ONNX models
"""

from minigen.interop.borrowed import from_torch_function
from minigen.interop.gpt2 import gpt2
from minigen.interop.lent import to_torch_function
from minigen.interop.onnx import to_onnx
from minigen.interop.weights import from_torch, to_torch

__all__ = ["from_torch", "from_torch_function", "gpt2", "to_onnx", "to_torch", "to_torch_function"]
