"""How `make docs` builds the site: pages of Markdown, lessons that are executed, and the API from docstrings.

Nothing in the built pages is loaded from elsewhere: equations are MathML, and every style and script is in the site.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from website.api import source_of

from minigen import __version__

project = "minigen"
author = "minigen developers"
project_copyright = "minigen developers"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.linkcode",
    "website.api",
    "website.mathml",
    "website.sources",
]
exclude_patterns = ["results", "website"]
default_role = "code"
toc_object_entries = False
smartquotes = False

# Lessons are notebooks in jupytext's Markdown; all other pages are plain ones.
nb_custom_formats = {".md": ["website.lessons.read", {}, False]}
nb_execution_mode = "cache"
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # which would be loaded from elsewhere

myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
myst_update_mathjax = False
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
linkcode_resolve = source_of

html_theme = "furo"
html_title = "minigen"
html_copy_source = False
html_show_sphinx = False
html_static_path = ["website/static"]
html_css_files = ["site.css"]
