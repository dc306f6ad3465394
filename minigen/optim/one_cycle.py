"""One cycle: the learning rate goes up to a large value and then down to almost nothing, the momentum the other way."""

import math

from minigen.checks import check_choice, check_count, check_number
from minigen.errors import ArgumentError
from minigen.optim.optimizer import Optimizer
from minigen.optim.schedule import Schedule


class OneCycleLR(Schedule):
    """lr from max_lr / div_factor up to max_lr, then down to max_lr / div_factor / final_div_factor, over total_steps.

    pct_start: the share of the way up. anneal_strategy: "cos" or "linear". cycle_momentum: the momentum, or Adam's β1,
    goes from max_momentum down to base_momentum and up again, also where it was 0. The optimizer's own lr does not
    count, but groups of parameters keep their ratios. To be stepped after every batch; it stays at its end. Sets lr to
    its first value at once. Smith, Topin (2018), Super-convergence: very fast training of neural networks using large
    learning rates; the form is PyTorch's. Raises ArgumentError.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
    ) -> None:
        super().__init__(optimizer)
        name = "OneCycleLR"
        self.max_lr = check_number(name, "max_lr", max_lr, above=0)
        self.total_steps = check_count(name, "total_steps", total_steps, 2)
        self.pct_start = check_number(name, "pct_start", pct_start, 0, high=1)
        self.anneal_strategy = check_choice(name, "anneal_strategy", anneal_strategy, ("cos", "linear"))
        self.base_momentum = check_number(name, "base_momentum", base_momentum, 0, 1)
        self.max_momentum = check_number(name, "max_momentum", max_momentum, self.base_momentum, 1)
        self.div_factor = check_number(name, "div_factor", div_factor, above=0)
        self.final_div_factor = check_number(name, "final_div_factor", final_div_factor, above=0)
        self.cycle_momentum = bool(cycle_momentum)
        if cycle_momentum and not {"momentum", "betas"} & set(optimizer.options):
            raise ArgumentError(f"{name}: {optimizer.name} has no momentum; pass cycle_momentum=False")
        self.begin()

    def lr_at(self, t: int) -> float:
        first = self.max_lr / self.div_factor
        return self.between(t, first, self.max_lr, first / self.final_div_factor)

    def between(self, t: int, start: float, top: float, end: float) -> float:
        """From start to top and on to end, after t steps."""
        turn, last = self.pct_start * self.total_steps - 1, self.total_steps - 1
        if t <= turn and turn > 0:
            return self.annealed(start, top, t / turn)
        return self.annealed(top, end, min((t - turn) / (last - turn), 1.0) if last > turn else 1.0)

    def annealed(self, start: float, end: float, share: float) -> float:
        """A share of the way from start to end."""
        if self.anneal_strategy == "linear":
            return start + (end - start) * share
        return end + (start - end) * (1 + math.cos(math.pi * share)) / 2

    def apply(self, t: int) -> None:
        super().apply(t)
        if self.cycle_momentum:
            momentum = self.between(t, self.max_momentum, self.base_momentum, self.max_momentum)
            for group in self.optimizer.param_groups:
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
            self.optimizer.prepare()
