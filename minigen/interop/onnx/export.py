"""A module as an ONNX model, which is run beside it before it is given out."""

import copy
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minigen.autograd.function import Function
from minigen.autograd.modes import no_grad
from minigen.autograd.tensor import Tensor
from minigen.errors import ArgumentError, MinigenError
from minigen.files import write_atomic
from minigen.interop.onnx.graph import Graph
from minigen.interop.onnx.operations import TRANSLATIONS
from minigen.interop.onnx.trace import Call, flat, traced
from minigen.layers import Module

OPSET, IR_VERSION = 20, 10
CLOSE = 1e-5  # how far the model may be from the module, beside the largest number of a result


def to_onnx(
    path: str | Path,
    module: Module,
    *examples: Any,
    batch: int | Sequence[int | None] | None = 0,
    names: Sequence[str] | None = None,
) -> float:
    """Write `module`, in evaluation mode, as ONNX to a name in .onnx; gives its largest deviation on fresh inputs.

    examples: what the module is called with, tensors or arrays, of whose shapes the model is; images are channels-last
    there, too. batch: the axis of each along which there may be any number of items, 0 unless given; None: none.
    names: of the inputs. The model is checked by onnxruntime: another batch, of other numbers, has to give the same to
    1e-5 of the largest. Needs the extra `onnx`.

    Raises ArgumentError for an operation without a translation, for what follows from the inputs by way of NumPy, for
    bad arguments, and where the check fails; RunError when the disk refuses.
    """
    path = Path(path)
    if path.suffix.lower() != ".onnx":
        raise ArgumentError(f"to_onnx: {path} does not end in .onnx, which is what is written")
    arrays = [np.asarray(x.data if isinstance(x, Tensor) else x) for x in examples]
    if not arrays:
        raise ArgumentError("to_onnx: pass an example of what the module is called with, such as images")
    axes = list(batch) if isinstance(batch, Sequence) else [batch] * len(arrays)
    names = list(names) if names is not None else ["x", *(f"x_{i}" for i in range(1, len(arrays)))][: len(arrays)]
    if not len(axes) == len(names) == len(arrays):
        raise ArgumentError(f"to_onnx: {len(arrays)} examples, {len(axes)} axes of batches and {len(names)} names")
    training = [part for _, part in module.named_modules() if part.training]
    module.eval()
    try:
        data = serialised(module, arrays, axes, names)
        deviation = compare(data, module, arrays, axes, names)
    finally:
        for part in training:
            part.training = True
    write_atomic(path, data)
    return deviation


def serialised(module: Module, arrays: Sequence[np.ndarray], axes: Sequence[int | None], names: Sequence[str]) -> bytes:
    """The model as bytes."""
    try:
        import onnx_ir as ir
    except ImportError:
        raise ArgumentError("to_onnx: needs onnx-ir and onnxruntime: pip install 'minigen[onnx]'") from None
    first, second = ([sized(x, axis, n) for x, axis in zip(arrays, axes, strict=True)] for n in (2, 3))
    (calls, results), (others, other_results) = (traced(module, given, translated) for given in (first, second))
    if [type(call.node) for call in calls] != [type(call.node) for call in others]:
        raise ArgumentError("to_onnx: the module computes otherwise for another batch; export a part that does not")
    parameters = {id(p.data): name for name, p in module.named_parameters()}
    graph = Graph(list(zip(names, first, second, axes, strict=True)), parameters)
    for call, other in zip(calls, others, strict=True):
        translate(graph, call, other)
    outputs = []
    for i, (a, b) in enumerate(zip(results, other_results, strict=True)):
        value = graph.op("Identity", [graph.value(a, b)])
        value.name = "y" if i == 0 else f"y_{i}"
        value.shape = ir.Shape(["batch" if m != n else m for m, n in zip(a.shape, b.shape, strict=True)])
        value.type = ir.TensorType(ir.DataType.from_numpy(a.dtype))
        outputs.append(value)
    nodes, kept = graph.tape.nodes, graph.tape.initializers
    named = {"name": type(module).__name__, "opset_imports": {"": OPSET}}
    made = ir.Graph(graph.inputs, outputs, nodes=nodes, initializers=kept, **named)
    proto: Any = ir.to_proto(ir.Model(made, ir_version=IR_VERSION, producer_name="minigen"))
    return proto.SerializeToString()


def translated(node: Function) -> bool:
    """Whether there is a translation of an operation."""
    return type(node) in TRANSLATIONS


def translate(graph: Graph, call: Call, other: Call) -> None:
    """Put one call into the graph. Raises ArgumentError where it has no translation."""
    made: Any = [graph.value(a, b) for a, b in zip(call.inputs, other.inputs, strict=True)]
    if call.node is not None:
        if not translated(call.node):
            raise ArgumentError(f"to_onnx: {call.node.name} has no translation; write it by operations that have")
        made = TRANSLATIONS[type(call.node)](graph, call.node, other.node, made)
    for array, value in zip(call.outputs, made if isinstance(made, (list, tuple)) else [made], strict=True):
        graph.name(array, value)


def sized(x: np.ndarray, axis: int | None, n: int) -> np.ndarray:
    """n items of the example, repeated where it has fewer."""
    if axis is None:
        return x.copy()
    return np.ascontiguousarray(np.take(x, np.arange(n) % x.shape[axis], axis))


def compare(
    data: bytes, module: Module, arrays: Sequence[np.ndarray], axes: Sequence[int | None], names: Sequence[str]
) -> float:
    """The largest deviation of the model from the module, beside the largest number, on five other items."""
    try:
        import onnxruntime
    except ImportError:
        raise ArgumentError("to_onnx: needs onnxruntime: pip install 'minigen[onnx]'") from None
    rng = np.random.default_rng(0)
    fresh = [changed(sized(x, axis, 5), rng) for x, axis in zip(arrays, axes, strict=True)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    given = {name: x.astype(np.int64) if x.dtype.kind in "iu" else x for name, x in zip(names, fresh, strict=True)}
    theirs = session.run(None, {one.name: given[one.name] for one in session.get_inputs()})
    ours = exactly(module, fresh)
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        b = np.asarray(b)
        if a.shape != b.shape:
            raise ArgumentError(f"to_onnx: the model gives {b.shape} where the module gives {a.shape}")
        worst = max(worst, float(np.abs(a.data - b).max(initial=0)) / max(float(np.abs(a.data).max(initial=0)), 1.0))
    if not worst <= CLOSE:
        raise ArgumentError(
            f"to_onnx: the model is {worst:.1e} from the module on other numbers; something follows from the inputs by "
            "way of NumPy, or by chance"
        )
    return worst


def exactly(module: Module, arrays: Sequence[np.ndarray]) -> list[Tensor]:
    """What the module gives, in float64 where it can be copied to that, so that only the model rounds."""
    try:
        module = copy.deepcopy(module).astype(np.float64)
        wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where constants of float32 meet it
            return called(module, wide)
    except (MinigenError, TypeError):
        return called(module, arrays)


def called(module: Module, arrays: Sequence[np.ndarray]) -> list[Tensor]:
    """Its results, flat."""
    with no_grad():
        return flat(module(*[Tensor(x) if x.dtype.kind == "f" else x for x in arrays]))


def changed(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Other numbers of the same kind: floats stirred, whole numbers in another order."""
    if x.dtype.kind == "f":
        return (x + 0.3 * rng.standard_normal(x.shape)).astype(x.dtype)
    return rng.permutation(x.reshape(-1)).reshape(x.shape)
