"""`minigen gradcheck`: every gradient of the engine against central differences, at order 1 and 2."""

from minigen import flags
from minigen.autograd.verify import samples as operations
from minigen.autograd.verify.verification import verify_each
from minigen.catalog import first_line
from minigen.errors import ArgumentError
from minigen.layers import samples as layers


def gradcheck(argv: list[str]) -> int:
    """Verify the gradients of every operation and layer, at order 1 and 2, and print a table."""
    parser = flags.Parser(prog="minigen gradcheck", description=first_line(gradcheck))
    parser.add_argument("names", nargs="*", metavar="NAME", help="operations or layers (default: all)")
    parser.add_argument("--seed", type=flags.converter(int), default=0, metavar="N", help="of the inputs (default: 0)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    samples = [*operations.SAMPLES, *layers.SAMPLES]
    for name in arguments.names:
        if name not in {sample.operation for sample in samples}:
            near = flags.suggestion(name, sorted({sample.operation for sample in samples}))
            raise ArgumentError(f"unknown operation or layer {name}{near}")
    failures = []
    print(f"{'largest relative error':<34} {'samples':>8} {'order 1':>10} {'order 2':>10}")
    wanted = [sample for sample in samples if not arguments.names or sample.operation in arguments.names]
    for row in verify_each(wanted, seed=arguments.seed):
        first, second = (f"{error:.1e}" for error in row.errors)
        second = "–" if row.once_only else second
        print(f"{row.operation:<34} {row.samples:>8} {first:>10} {second:>10}  {row.once_only}", flush=True)
        if not row.passed:
            failures.append(f"{row.operation}: {row.failure}")
    print("\n".join(failures) or "all gradients agree with central differences")
    return 1 if failures else 0
