"""`minigen profile`: where the time of a recipe's training step goes."""

import contextlib
import io
import tempfile
from pathlib import Path
from typing import Any

from minigen import flags
from minigen.catalog import first_line
from minigen.cli.train import named_model
from minigen.errors import ArgumentError, RunError
from minigen.files import write_atomic
from minigen.see import Profile
from minigen.training import Run

WARM = 3  # steps before, in which kernels are compiled and memory is found
STEPS, MOST = 13, 60  # of the training, with those; every one is logged in so short a training


class ProfiledRun(Run):
    """A run that profiles all its steps after the first three."""

    profile: Profile
    last: int

    def log(self, step: int, **values: Any) -> None:
        """Called at the end of each step of a short training."""
        if step == WARM and self.profile.began is None:
            self.profile.__enter__()
        elif step == self.last and not self.profile.seconds:
            self.profile.__exit__()
        super().log(step, **values)


def profile(argv: list[str]) -> int:
    """Time the operations and modules of a few training steps, and draw what they reach of what the machine can do."""
    model, module = named_model("profile", argv, "[--out FOLDER] [flags of the recipe]", first_line(profile))
    parser = flags.Parser(prog=f"minigen profile {model}", description=first_line(profile))
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"for trace and picture (default: profile-{model})")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    flags.add_fields(parser, module.Recipe, "recipe")
    arguments = parser.parse(argv[1:])
    recipe = module.Recipe(**{"max_steps": STEPS, **flags.given_fields(arguments, module.Recipe)})
    if not WARM < recipe.max_steps <= MOST:
        raise ArgumentError(f"--max-steps is {recipe.max_steps}; {WARM} warm up, and from the next to {MOST} are timed")
    folder = arguments.out or Path(f"profile-{model}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder} can not be a folder ({error.strerror}); choose another one with --out") from None
    found = profiled(module, model, recipe)
    count = recipe.max_steps - WARM
    said = f"{model}: {count} training steps, {found.seconds / count * 1e3:.2f} ms each, run in Python\n\n{found}\n"
    print(said)
    write_atomic(folder / "profile.txt", said.encode())
    found.save(folder / "trace.json")
    names = ["profile.txt", "trace.json"]
    if any(row.multiply_adds for row in found.by_operation()):  # glove, for one, has no product
        found.save_roofline(folder / "roofline.png")
        names.append("roofline.png")
    for name in names:
        print(f"  {folder / name}")
    return 0


def profiled(module: Any, model: str, recipe: Any) -> Profile:
    """The profile of a short training, silent, in a folder that is then removed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        run = ProfiledRun.create(Path(folder) / "run", model, recipe)
        run.kept, run.profile, run.last = False, Profile(), recipe.max_steps
        try:
            module.train(recipe, run)
        finally:
            if run.profile.began is not None and not run.profile.seconds:
                run.profile.__exit__()
    if run.step < recipe.max_steps:
        raise ArgumentError(f"profile: the training ended after {run.step} steps; use more epochs, or less --max-steps")
    return run.profile
