"""Services that a visible training loop calls: run folder, progress, metric log, checkpoint, early stopping.

Nothing here owns the loop. A loop asks for what it wants:

    state = {"model": model, "optimizer": optimizer, "loader": loader, "rng": rng}
    start = run.restore(state)
    with run.progress(total, start) as progress:
        for step, (x, y) in loader.steps(start, total):
            loss = ...
            progress.update(step, loss=loss)
            if step % 50 == 0:
                run.log(step, loss=loss)
            if loader.epoch_done or step == total or progress.interrupted:
                run.save(state, step)
            if progress.interrupted:
                break
    run.finish()
"""

from minigen.training import checkpoint
from minigen.training.checkpoint import State, Stateful
from minigen.training.early_stopping import EarlyStopping
from minigen.training.log import MetricLog
from minigen.training.progress import Progress
from minigen.training.run import Run

__all__ = ["Run", "Progress", "MetricLog", "EarlyStopping", "State", "Stateful", "checkpoint"]
