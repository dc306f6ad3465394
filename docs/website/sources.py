"""A page for each file and folder of the source, in colours, and links of the documents that lead there."""

import ast
import builtins
import html
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer, TextLexer
from sphinx import addnodes

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("minigen", "models", "benchmarks")
TOP = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "pyproject.toml")
PLACE = "source"


def files() -> list[Path]:
    """Every file that has a page."""
    python = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [*python, *[ROOT / name for name in TOP]]


def page_of(path: Path) -> str:
    """The name of the page of a file or folder."""
    return f"{PLACE}/{path.relative_to(ROOT).as_posix()}"


def pages(app: Any) -> Iterator[tuple[str, dict[str, str], str]]:
    """The pages, as Sphinx takes them: name, title and body, template."""
    formatter = HtmlFormatter(lineanchors="L", wrapcode=True)
    folders: dict[Path, list[Path]] = {}
    for path in files():
        for inner in [path, *path.parents]:
            if inner in folders.get(inner.parent, []) or inner.parent == ROOT:
                break
            folders.setdefault(inner.parent, []).append(inner)
        lexer = PythonLexer() if path.suffix == ".py" else TextLexer()
        yield from [page(path, highlight(path.read_text(), lexer, formatter))]
    for folder, entries in folders.items():
        items = [item(folder, entry) for entry in sorted(entries, key=lambda entry: (entry.is_file(), entry))]
        yield from [page(folder, f"<ul>{''.join(items)}</ul>")]


def page(path: Path, body: str) -> tuple[str, dict[str, str], str]:
    """One page."""
    name = path.relative_to(ROOT).as_posix()
    return page_of(path), {"title": name, "body": f"<h1>{html.escape(name)}</h1>{body}"}, "page.html"


def item(folder: Path, entry: Path) -> str:
    """A line of a folder's page: the name, and what the file says it is for."""
    said = entry if entry.is_file() else entry / "__init__.py"
    words = (ast.get_docstring(ast.parse(said.read_text())) or "") if said.suffix == ".py" and said.exists() else ""
    link = f"{folder.name}/{entry.name}.html"
    return f'<li><a href="{link}">{html.escape(entry.name)}</a> {html.escape(words.partition(chr(10))[0])}</li>'


def link_to_pages(app: Any, tree: nodes.document) -> None:
    """Let links to files and folders of the repository lead to their pages."""
    known = {page_of(path) for path in files()}
    known |= {page_of(folder) for path in files() for folder in path.parents if ROOT in folder.parents}
    document = Path(app.env.doc2path(app.env.docname)).parent
    for node in [*tree.findall(addnodes.download_reference), *tree.findall(addnodes.pending_xref)]:
        path = os.path.normpath(document / node["reftarget"].partition("#")[0])
        targets = [Path(path), Path(f"{path}.md")]  # Sphinx takes off what a document ends in
        for target in [target for target in targets if target.is_relative_to(ROOT) and page_of(target) in known][:1]:
            uri = app.builder.get_relative_uri(app.env.docname, page_of(target))
            node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=True))


def leave_builtins(app: Any, tree: nodes.document) -> None:
    """Let `float` in a signature be Python's: Tensor.float is another one."""
    for node in list(tree.findall(addnodes.pending_xref)):
        if node.get("refdomain") == "py" and node["reftarget"] in vars(builtins):
            node.replace_self(node.children)


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("html-collect-pages", pages)
    app.connect("doctree-read", link_to_pages, priority=400)  # before what is linked to is noted down for downloads
    app.connect("doctree-read", leave_builtins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
