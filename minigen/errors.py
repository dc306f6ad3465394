"""Every error minigen raises on purpose.

Each derives from MinigenError and from the built-in that fits, so `except ValueError` works as well as
`except minigen.MinigenError`. Messages name the operation, the shapes or values, and the mend.
"""


class MinigenError(Exception):
    """Base of all errors raised by minigen."""


class ShapeError(MinigenError, ValueError):
    """Shapes that an operation can not combine."""


class DTypeError(MinigenError, TypeError):
    """An array of the wrong kind: text, complex, integers where floats are needed."""


class ArgumentError(MinigenError, ValueError):
    """An option outside its range, such as a dropout probability of 1.5."""


class MissingNameError(MinigenError, AttributeError):
    """A name that minigen does not have, or calls otherwise than PyTorch."""


class KeywordError(MinigenError, TypeError):
    """A keyword that a function does not take, or calls otherwise than PyTorch."""


class GradientError(MinigenError, RuntimeError):
    """A gradient that can not be computed, or that is not what the caller believes."""


class GraphFreedError(GradientError):
    """A second sweep over a graph whose saved arrays were already released."""


class NotTwiceDifferentiable(GradientError):
    """A gradient of a gradient through an operation that has no second derivative written."""


class DataError(MinigenError, ValueError):
    """A data file or array that is missing, damaged, or not what it should hold."""


class CheckpointError(MinigenError, ValueError):
    """A checkpoint that is missing, damaged, or belongs to another model."""


class RunError(MinigenError, OSError):
    """A run folder that can not be created, read or written."""
