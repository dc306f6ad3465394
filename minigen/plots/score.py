"""Tunes on staves, simply: heads, stems, flags, rests and bar lines, no beams and no keys."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from minigen.errors import DataError
from minigen.plots.canvas import INK, drawing, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUARTER = 24  # ticks
STEPS = (0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6)  # of the staff, of the twelve pitches above C,
SHARPS = (1, 3, 6, 8, 10)  # and those with a sharp before them
MIDDLE = 41  # the step of the staff's middle line, B, counted from the C that is five octaves lower
ACROSS = 2.7  # quarters on an inch
LINE = 26 * QUARTER  # ticks on a staff, about


class Score(NamedTuple):
    """A tune to draw. metre: (3, 4); start: ticks into its bar; notes: (pitch or None, ticks), 24 ticks a quarter."""

    title: str
    metre: tuple[int, int]
    start: int
    notes: Sequence[tuple[int | None, int]]


@drawing
def save_score(path: str | Path, scores: Sequence[Score]) -> None:
    """Draw tunes below each other, as many staves as they need. Raises DataError without a note."""
    staves = [(score, staff) for score in scores for staff in split(score)]
    if not staves:
        raise DataError("save_score: there are no notes to draw")
    figure = new_figure(LINE / QUARTER / ACROSS + 0.8, 1.05 * len(staves))
    for i, (score, staff) in enumerate(staves):
        axes = figure.add_subplot(len(staves), 1, i + 1)
        begins = i == 0 or staves[i - 1][0] is not score
        axes.set_title(score.title if begins else "", loc="left", fontsize=10, color=INK, fontweight="bold")
        draw_staff(axes, score, staff, begins)
    save_figure(path, figure)


def split(score: Score) -> Iterator[list[tuple[int, int | None, int]]]:
    """(time, pitch, ticks) of the notes of each staff, which ends with a bar."""
    bar = 4 * QUARTER * score.metre[0] // score.metre[1]
    longest = max(LINE // bar, 1) * bar
    staff, time = [], score.start
    for pitch, ticks in score.notes:
        if staff and time // longest > staff[0][0] // longest:
            yield staff
            staff = []
        staff.append((time, pitch, ticks))
        time += ticks
    if staff:
        yield staff


def draw_staff(axes: "Axes", score: Score, staff: list[tuple[int, int | None, int]], begins: bool) -> None:
    """Lines, the metre where a tune begins, notes, and bar lines."""
    bar = 4 * QUARTER * score.metre[0] // score.metre[1]
    origin = staff[0][0] - (14 if begins else 5)
    end = staff[-1][0] + staff[-1][2]
    for line in (-4, -2, 0, 2, 4):
        axes.plot([origin, max(end, origin + LINE // 2)], [line, line], color="#999999", linewidth=0.6, zorder=1)
    if begins:
        for y, number in ((2, score.metre[0]), (-2, score.metre[1])):
            axes.text(origin + 5, y, str(number), ha="center", va="center", fontsize=11, fontweight="bold", color=INK)
    for time in range(-(-(staff[0][0] + 1) // bar) * bar, end + 1, bar):
        axes.plot([time - 6, time - 6], [-4, 4], color=INK, linewidth=0.9)
    for time, pitch, ticks in staff:
        if pitch is None:
            draw_rest(axes, time, ticks)
        else:
            draw_note(axes, time, pitch, ticks)
    axes.set_xlim(origin - 2, origin + LINE + 24)
    axes.set_ylim(-11, 11)
    axes.axis("off")


def draw_note(axes: "Axes", time: int, pitch: int, ticks: int) -> None:
    """A head, open from a half note on; a stem below a whole one; a dot, flags, a sharp, short lines where it needs."""
    from matplotlib.patches import Ellipse

    octave, step = divmod(pitch, 12)
    y = 7 * octave + STEPS[step] - MIDDLE
    for line in range(6, abs(y) + 1, 2):
        axes.plot([time - 4, time + 4], [line if y > 0 else -line] * 2, color="#999999", linewidth=0.6, zorder=1)
    filling = "white" if ticks >= 2 * QUARTER else INK
    axes.add_patch(Ellipse((time, y), 4.6, 1.9, facecolor=filling, edgecolor=INK, linewidth=1.1, zorder=3))
    if step in SHARPS:
        axes.text(time - 4.6, y, "♯", ha="center", va="center", fontsize=8, color=INK)
    if is_dotted(ticks):
        axes.plot([time + 4.2], [y + (y % 2 == 0)], marker=".", markersize=3, color=INK, zorder=3)
    if ticks >= 4 * QUARTER:
        return
    way = 1 if y < 0 else -1  # a stem points to the middle
    x, tip = time + 2.2 * way, y + 6.5 * way
    axes.plot([x, x], [y, tip], color=INK, linewidth=1.0, zorder=2)
    for i in range(flags(ticks)):
        top = tip - 1.7 * way * i
        axes.plot([x, x + 3.2], [top, top - 2.2 * way], color=INK, linewidth=1.3, zorder=2)


def draw_rest(axes: "Axes", time: int, ticks: int) -> None:
    """A block that hangs (a whole one) or lies (a half one), or a hook with as many flags as the note would have."""
    if ticks >= 2 * QUARTER:
        bottom = 1.0 if ticks >= 4 * QUARTER else 0.0
        axes.fill_between([time - 3, time + 3], bottom, bottom + 1.0, color=INK, zorder=3)
        return
    axes.plot([time + 1, time - 1, time + 1, time - 1], [2.5, 0.8, -0.8, -2.5], color=INK, linewidth=1.5, zorder=3)
    for i in range(flags(ticks)):
        axes.plot([time + 1 - i * 0.5], [2 - 1.7 * i], marker=".", markersize=5, color=INK, zorder=3)


def is_dotted(ticks: int) -> bool:
    """Whether it is half as long again as a plain note."""
    return any(ticks * 2 == plain * 3 for plain in (QUARTER // 4, QUARTER // 2, QUARTER, 2 * QUARTER, 4 * QUARTER))


def flags(ticks: int) -> int:
    """0 from a quarter on, 1 of an eighth, 2 of a sixteenth."""
    return (ticks < QUARTER) + (ticks < QUARTER // 2) + (ticks < QUARTER // 4)
