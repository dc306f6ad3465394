"""Pictures: sample sheets, curves, confusion matrices, maps, measured times. The only importer of matplotlib.

Sheets of images are written pixel for pixel; charts use matplotlib's Figure objects, never pyplot, so no display, no
global state and no backend is touched. Every `save_…` writes a PNG and raises RunError when the disk refuses.
"""

from minigen.plots.alignment import save_alignments
from minigen.plots.canvas import data_address, file_address
from minigen.plots.charts import save_confusion, save_curves, save_spreads
from minigen.plots.comparison import save_ratios, save_scaling, save_times
from minigen.plots.film import save_animation, save_film, save_strip
from minigen.plots.latent import save_latent_map
from minigen.plots.paths import save_paths
from minigen.plots.roofline import save_roofline
from minigen.plots.runs import save_runs
from minigen.plots.score import Score, save_score
from minigen.plots.search import save_rates, save_search
from minigen.plots.sheets import image_grid, save_grid, save_interpolation, save_reconstructions
from minigen.plots.words import save_word_map

__all__ = [
    "data_address",
    "file_address",
    "image_grid",
    "save_grid",
    "save_reconstructions",
    "save_interpolation",
    "save_animation",
    "save_film",
    "save_strip",
    "save_curves",
    "save_runs",
    "save_search",
    "save_rates",
    "save_confusion",
    "save_spreads",
    "save_latent_map",
    "save_paths",
    "save_alignments",
    "save_score",
    "Score",
    "save_word_map",
    "save_times",
    "save_scaling",
    "save_roofline",
    "save_ratios",
]
