"""Results as lines: what stands beside what, and what it says."""

import json
from pathlib import Path

from minigen.training.figures import described, main_figures
from minigen.training.meanings import meaning

RESULTS = {"fid": 3.14159, "fid_floor": 0.06, "fid_spread": 0.021, "sea_floor": 7, "classes": 10, "classes_floor": 10}


def test_spread_and_floor_stand_beside_their_figure():
    assert list(main_figures(RESULTS)) == ["fid", "sea_floor", "classes"]
    assert described("fid", RESULTS) == "3.1416 ± 0.021 (floor 0.06)"
    assert described("classes", RESULTS) == "10 (floor 10)"
    assert described("sea_floor", RESULTS) == "7"


def test_every_figure_of_a_kept_run_is_explained():
    kept = Path(__file__).parents[2] / "docs" / "results"
    runs = [json.loads(path.read_text())["results"] for path in kept.glob("*/run.json")]
    unknown = {name for results in runs for name in main_figures(results) if not meaning(name, results)}
    assert len(runs) > 20 and unknown == set()


def test_words_are_of_the_figure_and_of_its_run():
    assert "500 samples" in (meaning("fid_500", {}) or "") and "lower" in (meaning("fid", {}) or "")
    assert meaning("precision", {"f1": 1}) != meaning("precision", {})
    assert (meaning("held_out_overlap_8", {}) or "").startswith("of real data, to compare with: share of runs of 8")
    assert (meaning("psnr_damaged", {}) or "").startswith("of the damaged images: ")
    assert [meaning(name, {}) for name in ("fids", "test_", "held_out_x", "500", "")] == [None] * 5
