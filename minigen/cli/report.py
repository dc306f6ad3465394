"""`minigen report`: runs as one HTML file."""

from pathlib import Path

from minigen import flags
from minigen.catalog import first_line, is_shipped, open_run
from minigen.pages import save_report


def report(argv: list[str]) -> int:
    """Write one or more runs into one HTML file, to be opened in any browser: samples, curves, results, recipe."""
    parser = flags.Parser(prog="minigen report", description=first_line(report))
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="run folders; several are compared")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="(default: report.html in the first folder)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse(argv)
    runs = [open_run(folder) for folder in arguments.folders]
    place = Path(f"{runs[0].path.name}.html") if is_shipped(runs[0]) else runs[0].path / "report.html"
    path = arguments.out if arguments.out is not None else place
    save_report(path, runs)
    print(path)
    return 0
