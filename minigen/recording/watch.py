"""What a step reads and calls in Python: that it may not do, and what must be the same in the next call.

A replayed list runs none of the step's own Python. So a step must not change anything outside itself in Python, nor
ask the clock, print, or draw from a generator directly: that is refused, by name. And what it reads besides its
arguments, such as a number in a variable around it or a module's `training`, is compared before every replay.

"Its own Python" is code outside this package; the models count as outside. Code of libraries is not looked into.
"""

import collections
import dis
import functools
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from types import CellType, CodeType, FrameType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from minigen.advice import MODELS, PACKAGE
from minigen.autograd.tensor import Tensor
from minigen.layers.module import Module
from minigen.recording.notes import Notes, owner

MISSING = object()  # stands for nothing
SIMPLE = (int, float, bool, str, bytes, type(None), complex, np.generic)
LIBRARIES = (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), "<frozen")
# Modules of libraries whose functions in Python a step may call: they keep nothing and ask nothing.
HARMLESS = {"abc", "collections", "contextlib", "dataclasses", "enum", "functools", "numbers", "operator", "types"}
HARMLESS |= {"typing", "numpy"}
PURE = {"math", "_operator", "itertools", "_functools", "_collections", "_abc", "numpy"}  # those written in C
BUILTINS = {
    *("abs", "all", "any", "callable", "chr", "divmod", "format", "getattr", "hasattr", "hash", "id", "isinstance"),
    *("issubclass", "iter", "len", "max", "min", "ord", "pow", "repr", "round", "sorted", "sum", "vars"),
}
READING = {"get", "items", "keys", "values", "copy", "index", "count"}  # methods of containers
STORES = {
    "STORE_GLOBAL": "sets the variable {} of its module",
    "DELETE_GLOBAL": "deletes the variable {} of its module",
    "STORE_ATTR": "sets the attribute {}",
    "DELETE_ATTR": "deletes the attribute {}",
    "STORE_SUBSCR": "writes into a container",
    "DELETE_SUBSCR": "deletes from a container",
    "IMPORT_NAME": "imports {}",
}
ITERATOR = "it uses an iterator from around it; pass its items as arguments"
MOST_VALUES = 20_000  # that are compared before every call
LOOKING = {"getattr", "hasattr", "vars", "__dict__"}  # by these any attribute may be read


@functools.cache
def belongs_to_user(file: str) -> bool:
    """Whether code of this file is a step's own."""
    if file.startswith(PACKAGE):
        return file.startswith(MODELS)
    return not file.startswith(LIBRARIES)


def module_of_user(module: ModuleType | None) -> bool:
    """Whether a module is a step's own; one without a file is what was typed in, unless Python has it built in."""
    return belongs_to_user(
        getattr(module, "__file__", None) or ("<frozen" if getattr(module, "__spec__", None) else "")
    )


def own(code: CodeType) -> bool:
    """Whether a function is a step's own, and not one that dataclass or namedtuple has written."""
    return belongs_to_user(code.co_filename) and not (code.co_filename == "<string>" and code.co_name.startswith("__"))


def forbidden(code: CodeType, variables: dict[str, Any]) -> str | None:
    """What a function does, by its instructions, that a replay would leave out; None: nothing."""
    before = None
    for instruction in dis.get_instructions(code):
        name, what = instruction.opname, instruction.argval
        if name in STORES and not (name.endswith("ATTR") and code.co_name in ("__init__", "__post_init__")):
            return STORES[name].format(what)
        if name == "STORE_DEREF" and what in code.co_freevars:
            return f"sets the variable {what} of the function around it"
        if name in ("LOAD_ATTR", "LOAD_METHOD") and what == "data":
            owner = variables.get(before.argval) if before is not None and before.opname == "LOAD_GLOBAL" else None
            if not isinstance(owner, ModuleType):
                return "reads a value: .data"
        before = instruction
    return None


def names_in(code: CodeType) -> set[str]:
    """All names in a function's code, and in that of functions inside it."""
    return set(code.co_names).union(*(names_in(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def replaced(attributes: dict[str, Any]) -> int:
    """How many methods an object has in the place of its class's."""
    return sum(isinstance(value, (FunctionType, MethodType)) for value in attributes.values())


def same(now: Any, then: Any) -> bool:
    """Whether a value is what it was: the same object, or an equal number or string."""
    if now is then:
        return True
    return type(now) is type(then) and isinstance(now, SIMPLE) and now == then and repr(now) == repr(then)


class Watch:
    """`with Watch(function, arguments, notes) as watch:` the calls of this thread are looked at.

    `watch.changed()` afterwards tells whether what the step reads is still what it was.
    """

    def __init__(self, function: Callable[..., Any], arguments: Sequence[Any], notes: Notes) -> None:
        self.notes, self.refuse = notes, notes.refuse
        self.seen: dict[int, Any] = {}  # what was looked through, by id
        self.globals: dict[int, dict[str, Any]] = {}
        self.entries: list[tuple[Any, str, Any]] = []  # a dict, a name in it, and what stood there
        self.attributes: list[tuple[Any, str, Any]] = []  # the same of objects: some are never read
        self.sequences: list[tuple[Any, tuple[Any, ...]]] = []
        self.values: list[tuple[Callable[[], Any], Any]] = []  # how to read something else, and what it was
        self.sizes: list[tuple[dict[str, Any], int]] = []  # of the attributes of objects
        self.iterators: set[str] = set()  # names of attributes that are some: they change when somebody uses them
        self.memories: set[int] = set()  # ids of the owners of what tensors around the step hold
        self.codes: set[CodeType] = set()  # of functions that can be reached
        self.entered: set[CodeType] = set()
        for value in (function, *arguments):
            self.reach(value)

    def __enter__(self) -> "Watch":
        sys.setprofile(self.look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        for rng, state in self.notes.drawn.values():
            if rng.bit_generator.state != state:
                self.refuse("a generator is drawn from directly; draw by mg.rand, mg.randn or mg.randint with rng=…")
        names = set().union(*map(names_in, self.entered))
        if self.iterators & names or (self.iterators and names & LOOKING):
            self.refuse(ITERATOR)
        if names & LOOKING:
            self.values += [(functools.partial(len, attributes), size) for attributes, size in self.sizes]
        else:
            self.attributes = [entry for entry in self.attributes if entry[1] in names]
        if (name := self.changed()) is not None:
            self.refuse(f"{name} is another one after the step")
        if len(self.entries) + len(self.attributes) + sum(len(items) for _, items in self.sequences) > MOST_VALUES:
            self.refuse(f"there are more than {MOST_VALUES:,} values around the step that would have to be compared")

    def changed(self) -> str | None:
        """The name of what is not as it was; None: nothing."""
        for place, name, value in self.entries:
            now = place.get(name, MISSING)
            if now is not value and not same(now, value):
                return name
        for place, name, value in self.attributes:
            now = place.get(name, MISSING)
            if now is not value and not same(now, value):
                return name
        for sequence, items in self.sequences:
            if len(sequence) != len(items) or not all(map(same, sequence, items)):
                return f"a {type(sequence).__name__}"
        for read, value in self.values:
            if not same(read(), value):
                return "a variable around the step"
        return None

    # ---------------------------------------------------------------- what is called

    def look(self, frame: FrameType, event: str, argument: Any) -> None:
        """What Python tells of every call."""
        if self.notes.frames:  # of an operation, which is called again as a whole if need be
            return
        if event == "call":
            code = frame.f_code
            if own(code):
                self.enter(frame)
            elif frame.f_back is not None and own(frame.f_back.f_code):
                module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
                if module not in HARMLESS | {"minigen"} and not module.startswith("namedtuple_"):
                    self.refuse(f"{module}.{code.co_name} is called")
        elif event == "c_call" and own(frame.f_code):
            self.called(argument)

    def enter(self, frame: FrameType) -> None:
        """A function of the step's own is called."""
        code = frame.f_code
        if code in self.entered:
            return
        self.entered.add(code)
        problem = forbidden(code, frame.f_globals)
        if problem is not None:
            self.refuse(f"{code.co_name} {problem}")
        if code not in self.codes:
            if code.co_freevars and not any(code in outer.co_consts for outer in self.entered):
                self.refuse(f"{code.co_name} uses variables of the function around it, which are not within reach")
            self.variables(code, frame.f_globals)

    def called(self, function: Any) -> None:
        """A function written in C is called by the step's own code."""
        owner, module = getattr(function, "__self__", None), getattr(function, "__module__", None)
        name = getattr(function, "__name__", str(function))
        if isinstance(owner, ModuleType) or owner is None:
            root = str(module or getattr(owner, "__name__", "")).partition(".")[0]
            if root in PURE or (root == "builtins" and name in BUILTINS):
                return
        elif isinstance(owner, (list, dict, set)):
            if id(owner) not in self.seen or name in READING:
                return
        elif isinstance(owner, (*SIMPLE, tuple, frozenset, range, slice, type, np.ndarray)):
            return
        self.refuse(f"{name} is called")

    # ---------------------------------------------------------------- what is read

    def reach(self, value: Any) -> None:
        """Look through a value that the step can read: what of it must stay as it is."""
        if isinstance(value, SIMPLE) or id(value) in self.seen:
            return
        self.seen[id(value)] = value
        if isinstance(value, Tensor):
            self.memories.add(id(owner(value.data)))
        elif isinstance(value, np.ndarray):
            self.notes.stand_by(value)
        elif isinstance(value, np.random.Generator):
            self.notes.follow(value)
        elif isinstance(value, ModuleType):
            if module_of_user(value):
                self.attributes += [(vars(value), name, entry) for name, entry in vars(value).items()]
        elif isinstance(value, MethodType):
            self.reach(value.__func__)
            self.reach(value.__self__)
        elif isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self.reach(part)
        elif isinstance(value, FunctionType):
            self.function(value)
        elif isinstance(value, (list, tuple, set, frozenset, dict, collections.deque)):
            self.container(value)
        elif isinstance(value, type):
            self.kind(value)
        elif hasattr(value, "__wrapped__"):
            self.reach(value.__wrapped__)
        elif isinstance(value, Iterator):
            self.refuse(ITERATOR)
        else:
            self.thing(value)

    def function(self, function: FunctionType) -> None:
        """The variables that a function of the step's own reads."""
        if hasattr(function, "__wrapped__"):
            self.reach(vars(function)["__wrapped__"])
        if not own(function.__code__):
            return
        self.codes.add(function.__code__)
        self.variables(function.__code__, function.__globals__)
        for value in (function.__defaults__, function.__kwdefaults__):
            self.reach(value)
        for cell in function.__closure__ or ():
            self.cell(cell)

    def variables(self, code: CodeType, variables: dict[str, Any]) -> None:
        """The module's variables that a function reads."""
        for name in sorted(names_in(code) & variables.keys()):
            self.entries.append((variables, name, variables[name]))
            self.reach(variables[name])

    def cell(self, cell: CellType) -> None:
        """A variable of the function around."""

        def read() -> Any:
            try:
                return cell.cell_contents
            except ValueError:  # not set yet
                return None

        self.values.append((read, read()))
        self.reach(read())

    def thing(self, value: Any) -> None:
        """The attributes of an object: of a module all, of minigen's other objects only that none is added."""
        attributes = getattr(value, "__dict__", None)
        kind = type(value)
        if isinstance(value, Module):
            self.values.append((functools.partial(len, vars(value)), len(vars(value))))
            self.values.append((lambda: type(value).forward, kind.forward))
            self.entries += [(attributes, name, entry) for name, entry in vars(value).items()]
            if (hooks := value._hooks) is not None:
                for place in (hooks.before, hooks.after, hooks.backward):
                    self.container(place)
        elif kind.__module__.startswith("minigen.") and not kind.__module__.startswith("minigen.models."):
            if isinstance(attributes, dict):
                self.values.append((functools.partial(replaced, attributes), replaced(attributes)))
            return
        elif isinstance(attributes, dict):
            self.sizes.append((attributes, len(attributes)))
            self.attributes += [(attributes, name, entry) for name, entry in attributes.items()]
        for base in kind.__mro__:
            if module_of_user(sys.modules.get(base.__module__)):
                self.defaults(value, base, attributes)
        self.reach(kind)
        for name, entry in list(attributes.items()) if isinstance(attributes, dict) else ():
            if isinstance(entry, Iterator):
                self.iterators.add(name)
            else:
                self.reach(entry)

    def defaults(self, value: Any, base: type, attributes: Any) -> None:
        """What an object has by its class: slots, and values that an attribute of its own would hide."""
        for name, entry in vars(base).items():
            if isinstance(entry, MemberDescriptorType):
                self.values.append((functools.partial(getattr, value, name, None), getattr(value, name, None)))
                self.reach(getattr(value, name, None))
            elif isinstance(attributes, dict) and name not in attributes and not name.startswith("__"):
                self.attributes.append((attributes, name, MISSING))

    def kind(self, kind: type) -> None:
        """The functions and values of a class that is the step's own, and of those that it is made of."""
        for base in kind.__mro__:
            module = base.__module__
            foreign = module.startswith("minigen.") and not module.startswith("minigen.models.")
            if foreign or not module_of_user(sys.modules.get(module)):
                continue
            for name, entry in vars(base).items():
                if name in ("__dict__", "__weakref__", "__doc__"):
                    continue
                self.attributes.append((vars(base), name, entry))
                inner = getattr(entry, "fget", None) or getattr(entry, "__func__", None) or entry
                self.reach(inner)

    def container(self, value: Any) -> None:
        """The items of a list, tuple, set, dict or deque."""
        if isinstance(value, dict):
            self.values.append((functools.partial(len, value), len(value)))
            self.entries += [(value, name, entry) for name, entry in value.items()]
        elif isinstance(value, (set, frozenset)):
            self.values.append((lambda: repr(sorted(map(repr, value))), repr(sorted(map(repr, value)))))
        elif len(value) <= MOST_VALUES:
            self.sequences.append((value, tuple(value)))
        for item in list(value.values() if isinstance(value, dict) else value)[:MOST_VALUES]:
            self.reach(item)
