"""Reads a page: a lesson is a notebook, any other page one cell of Markdown, in which no code runs."""

import jupytext
import nbformat

LESSON = "---\njupyter:\n"


def read(text: str) -> nbformat.NotebookNode:
    """The page as a notebook."""
    if text.startswith(LESSON):
        return jupytext.reads(text, fmt="md")
    off = {"mystnb": {"execution_mode": "off"}}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text)], metadata=off)
