"""Equations as MathML, which browsers show by themselves: no script, no pictures, nothing to load."""

from typing import Any

import latex2mathml.converter
from docutils import nodes


def visit_math(translator: Any, node: nodes.math) -> None:
    """An equation in the line."""
    translator.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """An equation on lines of its own."""
    equation = latex2mathml.converter.convert(node.astext().strip(), display="block")
    translator.body.append(f'<div class="math">{equation}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(visit_math, None), block_renderers=(visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
