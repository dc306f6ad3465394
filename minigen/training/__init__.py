"""Services for a visible training loop: run folder, the protocol of its steps, checkpoint, log, early stopping.

Nothing here owns what a step does; minigen.training.steps shows a whole loop.
"""

from minigen.training import checkpoint
from minigen.training.checkpoint import State, Stateful
from minigen.training.early_stopping import EarlyStopping
from minigen.training.folder import RunFolder
from minigen.training.log import MetricLog
from minigen.training.progress import Progress
from minigen.training.run import Run
from minigen.training.steps import Steps

__all__ = [
    "Run",
    "RunFolder",
    "Steps",
    "Progress",
    "MetricLog",
    "EarlyStopping",
    "State",
    "Stateful",
    "checkpoint",
]
