"""Modules as ONNX: `mg.interop.to_onnx(model, x)` (extra `onnx`: onnx-ir to write, onnxruntime to check).

trace.py       one forward, heard: which operations, of which arrays, made which
graph.py       names for arrays, constants, shapes whose first number is open
operations.py  each operation in ONNX's
export.py      all of it, and the check of what came out
"""

from minigen.interop.onnx.export import to_onnx

__all__ = ["to_onnx"]
