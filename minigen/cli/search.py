"""`minigen search`: the best values for a recipe's fields, by trials that any number of processes share."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

import minigen as mg
from minigen import flags
from minigen.catalog import RUNS, first_line
from minigen.cli.runs import table
from minigen.cli.train import named_model, with_absolute_path
from minigen.config import config
from minigen.errors import ArgumentError
from minigen.search import Findings, Search, goal_of, space_of

TRIALS = 20


def search(argv: list[str]) -> int:
    """Try recipes of a model, end those that fall behind, and name the best; the same command joins, or goes on."""
    model, module = named_model("search", argv, "[--over NAME=LOW:HIGH …] [flags of the recipe]", first_line(search))
    parser = flags.Parser(prog=f"minigen search {model}", description=first_line(search))
    add_flags(parser, model)
    flags.add_fields(parser, module.Recipe, "recipe: what is given is fixed for all trials")
    arguments = parser.parse(argv[1:])
    if arguments.trials < 1:
        raise ArgumentError(f"--trials {arguments.trials}; use 1 or more")
    if not 1 <= arguments.jobs <= config.threads:
        raise ArgumentError(f"--jobs {arguments.jobs}; use 1 to {config.threads}, as many as there are threads")
    given = flags.given_fields(arguments, module.Recipe)
    base = with_absolute_path(module.Recipe(**given))
    mg.random.generator(getattr(base, "seed", 0))  # which refuses what is no seed
    job = Search(
        folder=arguments.out or RUNS / f"search-{model}",
        model=model,
        module=module,
        base=base,
        fixed=given,
        space=space_of(base, given, arguments.over),
        goal=goal_of(model, arguments.figure, arguments.mode),
        trials=arguments.trials,
        pruning=arguments.prune,
        say=lambda line: print(line, flush=True),
    )
    job.open()
    if arguments.worker:
        return code_of(job, parent=os.getppid())
    for name, one in job.space.items():
        print(f"  {flags.flag_of(name):<18} {one}")
    print(f"  {job.goal.figure}, {'smaller' if job.goal.mode == 'min' else 'larger'} is better; all is in {job.folder}")
    try:
        code = code_of(job) if arguments.jobs == 1 else side_by_side(["search", *argv], arguments.jobs)
        show(job)
    finally:
        job.remove_if_unused()
    return code


def add_flags(parser: flags.Parser, model: str) -> None:
    """The flags that are the search's own."""
    parser.add_argument(
        "--trials", type=int, default=TRIALS, metavar="N", help=f"how many in all, of all workers (default: {TRIALS})"
    )
    parser.add_argument(
        "--for", dest="figure", metavar="FIGURE", help="of metrics.csv or of the results, which decides"
    )
    parser.add_argument("--mode", choices=("min", "max"), help="which way it is better, if its name does not say it")
    parser.add_argument(
        "--over", nargs="+", action="extend", default=[], metavar="RANGE", help="lr=1e-4:1e-2:log hidden=128,256,512"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"of the trials (default: {RUNS}/search-{model})")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="workers that share the threads (default: 1)")
    parser.add_argument("--no-prune", dest="prune", action="store_false", help="train every trial to its end")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)  # one of --jobs
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def code_of(job: Search, parent: int | None = None) -> int:
    """Work until nothing is left, and give the exit code. A worker goes home when the process that sent it is gone."""
    try:
        job.work(lambda: parent is None or os.getppid() == parent)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0


def side_by_side(command: list[str], jobs: int) -> int:
    """Run so many workers, each with its share of the threads, until all have ended; the exit code of the whole.

    Ctrl-C is passed on, once each time: the workers are in groups of their own, which a terminal does not reach.
    """
    environment = os.environ | {"MINIGEN_THREADS": str(config.threads // jobs)}
    line = [sys.executable, "-m", "minigen", *command, "--jobs", "1", "--worker"]
    group = 0 if os.name == "posix" else None
    workers = [subprocess.Popen(line, env=environment, process_group=group) for _ in range(jobs)]
    while True:
        try:
            codes = [worker.wait() for worker in workers]
            break
        except KeyboardInterrupt:
            for worker in workers:
                if worker.poll() is None:
                    worker.send_signal(signal.SIGINT)
    killed = [-code for code in codes if code < 0 and -code != signal.SIGINT]
    if killed:
        print(f"minigen: signal {killed[0]} ended a worker; the same command takes up its trial", file=sys.stderr)
    if 130 in codes or -signal.SIGINT in codes:
        return 130
    return 1 if killed else max(codes)


def show(job: Search) -> None:
    """Write down and print the best trials, the best recipe as a command, and where both lie."""
    with job.alone():
        job.tidy()
        found = Findings(job)
        paths = found.save()
    print(f"\n{found.count()}")
    print("\n".join(f"  {line}" for line in table(found.table())) if found.best else "  none came to its end")
    for name, share in found.importances.items():
        print(f"  {flags.flag_of(name):<18} decides {share:.0%}")
    if found.command:
        print(f"\n{found.command}\n")
    for path in paths:
        print(f"  {path}")
