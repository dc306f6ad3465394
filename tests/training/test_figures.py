"""Results as lines: what stands beside what."""

from minigen.training.figures import described, main_figures

RESULTS = {"fid": 3.14159, "fid_floor": 0.06, "fid_spread": 0.021, "sea_floor": 7, "classes": 10, "classes_floor": 10}


def test_spread_and_floor_stand_beside_their_figure():
    assert list(main_figures(RESULTS)) == ["fid", "sea_floor", "classes"]
    assert described("fid", RESULTS) == "3.1416 ± 0.021 (floor 0.06)"
    assert described("classes", RESULTS) == "10 (floor 10)"
    assert described("sea_floor", RESULTS) == "7"
