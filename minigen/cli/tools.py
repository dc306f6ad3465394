"""`minigen info` and `minigen warmup`: what is installed here, and its kernels compiled."""

from minigen import flags
from minigen import info as information
from minigen.catalog import first_line, model_names
from minigen.cli.train import known, two_steps


def info(argv: list[str]) -> int:
    """Show versions, threads, kernels, cache folder and the data found."""
    parser = flags.Parser(prog="minigen info", description=first_line(info))
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    parser.parse(argv)
    for name, value in information.collect():
        print(f"{name:<14} {value}")
    return 0


def warmup(argv: list[str]) -> int:
    """Compile the kernels now, by two training steps of each model, so that later runs start at once."""
    parser = flags.Parser(prog="minigen warmup", description=first_line(warmup))
    parser.add_argument("models", nargs="*", metavar="NAME", help="models (default: all)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    for model in parser.parse(argv).models or model_names():
        module = known(model)
        two_steps(module, model, module.Recipe(max_steps=2))
        print(f"{model}: ready")
    return 0
