"""`minigen report`: one or more runs as one HTML file, which needs neither a server nor a network.

All that comes from the run folders stands in the page as JSON, and is shown as text, never as HTML. The page's policy
lets it run its own script and show pictures that it holds, and nothing else.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from minigen import plots
from minigen.errors import ArgumentError
from minigen.files import write_atomic
from minigen.pages.document import document
from minigen.training import RunFolder

PAGE = Path(__file__).parent / "page"
FILES = ("report.html", "base.css", "base.js", "charts.js", "report.js")


def page(runs: Sequence[RunFolder]) -> str:
    """The HTML of these runs, laid over each other where there are several. Raises ArgumentError without any."""
    if not runs:
        raise ArgumentError("report: no runs; name a run folder")
    content = json.dumps([document(run, plots.file_address) for run in runs], allow_nan=False)
    content = content.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    html, style, *scripts = ((PAGE / name).read_text(encoding="utf-8") for name in FILES)
    script = "\n".join(scripts)
    policy = {"script-src": hashed(script), "style-src": hashed(style), "img-src": "data:", "default-src": "'none'"}
    parts = {
        "POLICY": "; ".join(f"{name} {source}" for name, source in policy.items()),
        "STYLE": style,
        "SCRIPT": script,
        "CONTENT": content,
    }
    pieces = html.split("%%")  # the names of parts stand between
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def hashed(text: str) -> str:
    """What a policy calls a script or a style by."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def save_report(path: str | Path, runs: Sequence[RunFolder]) -> None:
    """Write the page of these runs. Raises ArgumentError for a name that is no .html, RunError if the disk refuses."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise ArgumentError(f"report: {path} does not end in .html, which is what is written")
    write_atomic(Path(path), page(runs).encode())
