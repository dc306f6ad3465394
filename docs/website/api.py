"""Pages of the API: every public name of minigen, with its docstring, which is plain text and stays as it was written.

The names are those of the packages' `__all__`; of a package without one, what it defines, or exports as minigen does.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import minigen as mg
from minigen.autograd import ops
from minigen.catalog import first_line

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    *("layers", "optim", "data", "metrics", "training", "plots", "interop", "random", "errors"),
    *("autograd.observe", "see", "config"),
)
ITEM = re.compile(r"([a-z_0-9]+(, [a-z_0-9]+)*: |Raises |- )")  # how the description of an argument begins, and such


def public_names(module: ModuleType) -> list[str]:
    """What `module` has for its users."""
    if module is mg:
        return [name for name, value in vars(mg).items() if name[0] != "_" and is_object(value)]
    definitions = [
        (name, value) for name, value in vars(module).items() if inspect.isroutine(value) or inspect.isclass(value)
    ]
    own = [name for name, value in definitions if value.__module__ == module.__name__]
    return [name for name in getattr(module, "__all__", own) if name[0] != "_"]


def is_object(value: Any) -> bool:
    """Whether a name of minigen itself is one for users: no module, and nothing of typing."""
    return callable(value) and getattr(value, "__module__", "").startswith("minigen")


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    texts = {"minigen": page("minigen", mg, sections_of_minigen())}
    for name in PACKAGES:
        module = sys.modules.get(f"minigen.{name}") or importlib.import_module(f"minigen.{name}")
        texts[name] = page(f"minigen.{name}", module, {"": public_names(module)})
    toc = "\n".join(f"   {name}" for name in texts)
    texts["index"] = f"API\n===\n\n.. toctree::\n   :maxdepth: 1\n\n{toc}\n"
    return texts


def sections_of_minigen() -> dict[str, list[str]]:
    """The names of minigen itself by the subject of the module that defines them; operations last."""
    operations: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for name in public_names(mg):
        module = sys.modules[inspect.unwrap(getattr(mg, name)).__module__]
        title = first_line(module).rstrip(".").partition(": ")[0]
        (operations if name in ops.__all__ else others).setdefault(title, []).append(name)
    return {"": [name for names in others.values() for name in names], **operations}


def page(title: str, module: ModuleType, sections: dict[str, list[str]]) -> str:
    """The text of one page, in reStructuredText."""
    parts = [heading(title, "="), as_rst(inspect.cleandoc(module.__doc__ or ""))]
    for subject, names in sections.items():
        parts += [heading(escaped(subject), "-")] if subject else []
        parts += [directive(f"{title}.{name}", getattr(module, name)) for name in names]
    return "\n\n".join(parts) + "\n"


def heading(text: str, line: str) -> str:
    """A heading, underlined."""
    return f"{text}\n{line * (2 * len(text))}"


def directive(name: str, value: Any) -> str:
    """What makes autodoc document one name."""
    kinds = {"class": inspect.isclass, "module": inspect.ismodule, "function": callable}
    kind = next((kind for kind, holds in kinds.items() if holds(value)), "data")
    options = {"class": "\n   :members:\n   :show-inheritance:", "module": "\n   :members:"}
    return f".. auto{kind}:: {name}{options.get(kind, '')}"


# ---------------------------------------------------------------- docstrings


def as_rst(text: str) -> str:
    """A docstring, which is plain text, as reStructuredText: paragraphs, indented code, `names` in backticks."""
    return "\n\n".join(block for part in re.split(r"\n\s*\n", text) for block in blocks(part.splitlines()))


def blocks(lines: Sequence[str]) -> list[str]:
    """One part of a docstring between empty lines: code, or paragraphs, a new one for each argument."""
    if all(line.startswith("    ") for line in lines):
        code = "\n".join(lines)
        return [code if lines[0].lstrip().startswith(">>>") else f"::\n\n{code}"]
    found: list[str] = []
    for line in lines:
        if not found or ITEM.match(line):
            found.append(line.strip())
        else:
            found[-1] += " " + line.strip()
    return [escaped(text) for text in found]


def escaped(text: str) -> str:
    """Text in which nothing but `code` has a meaning."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its partner
        return re.sub(r"([\\*|_`])", r"\\\1", text)
    plain = [re.sub(r"([\\*|_])", r"\\\1", piece) for piece in pieces[::2]]
    code = [f"\\ ``{piece}``\\ " if piece.strip() == piece and piece else piece for piece in pieces[1::2]]
    return "".join(p + c for p, c in zip(plain, [*code, ""], strict=True)).removeprefix("\\ ")


def rewrite(app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Put a docstring into the form that Sphinx reads."""
    lines[:] = [*as_rst("\n".join(lines).strip()).splitlines(), ""]


# ---------------------------------------------------------------- source


def source_of(domain: str, info: dict[str, str]) -> str | None:
    """Where the source of a documented object is in the site, as seen from the pages of the API."""
    value: Any = sys.modules.get(info["module"])
    for part in info["fullname"].split("."):
        value = getattr(value, part, None)
    value = value.fget if isinstance(value, property) else value
    try:
        value = inspect.unwrap(value)
        path, line = Path(inspect.getsourcefile(value) or ""), inspect.getsourcelines(value)[1]
    except (TypeError, OSError):
        return None
    return f"../source/{path.relative_to(ROOT)}.html#L-{line}" if path.is_relative_to(ROOT) else None


def write_pages(app: Any) -> None:
    """Put the pages where Sphinx looks for them; those that are as before are left alone, and not read anew."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    texts = {folder / f"{name}.rst": text for name, text in pages().items()}
    for path in set(folder.glob("*.rst")) - set(texts):
        path.unlink()
    for path, text in texts.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx."""
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-docstring", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
