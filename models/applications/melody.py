"""A recurrent network that makes up tunes, one note after another.

D. Eck, J. Schmidhuber (2002), Finding temporal structure in music: blues improvisation with LSTM recurrent networks,
NNSP; B. Sturm, J. F. Santos, O. Ben-Tal, I. Korshunova (2016), Music transcription modelling and composition using deep
learning, https://arxiv.org/abs/1604.08723.

A note is a pitch and a length. An LSTM (see char_rnn) reads the notes so far, and with each the metre of the tune, the
place in the bar where the next note begins, so that it need not count, and what began there 1, 2, 4 and 8 bars before,
since tunes repeat themselves in bars (D. Eck, J. Lapalme 2008, Learning musical structure directly from sequences of
music). From its state h_t it predicts the pitch, and from that the length as well:

    p(note_t+1 | notes so far) = p(pitch | h_t) p(length | h_t, pitch),        trained by the mean of its -log

To the logit of each pitch that began there before, some g(h_t) is added, so that a repeat need not be found note by
note but is one decision, as a copy is in A. See, P. Liu, C. Manning (2017), https://arxiv.org/abs/1704.04368.

A tune is as good in any other key: in training each is moved by chance into one of the twelve.

The tunes in the box are 86 well-known ones in the public domain, in ABC notation (minigen/data/tunes/traditional.abc);
--tunes takes ABC and MIDI files of your own. Every tenth is held out. `minigen sample` writes new ones as ABC; -o
tune.mid writes them to be heard, -o tune.png to be looked at. What is counted in them, such as the notes that are of
one key and the bars that are repeated, stands beside the same of the held-out tunes.

What to expect: after the default 600 steps, four minutes on one core, a note of a held-out tune costs 2.65 nats, where
counting which move follows which two costs 3.87. Of the bars that it makes up 30 % stood in the tune before (32 % in
held-out tunes), 89 % of the notes are of one key (98 %), and the longest run that is also in a known tune has 4 notes
(5). Such tunes have phrases that come again, and few a plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

import minigen as mg
from minigen import data, layers, optim, plots
from minigen.autograd import Tensor
from minigen.data.tunes import Tune, abc_of, load_tunes, read_prompt, save_midi, tunes_of
from minigen.errors import DataError
from minigen.models.parts.modes import evaluating
from minigen.models.parts.options import averaging, require_decay, require_positive, require_share
from minigen.models.parts.text import Choice, choose, save_text
from minigen.models.parts.tunes import BACK, END, MovedTunes, Notation, chain_nats, filled, likeness
from minigen.training import Run, RunFolder, Steps

MOST = 200  # notes of a tune that is made up
JUDGED = 100  # tunes that are made up to be judged


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and for how long."""

    tunes: str = "traditional"  # those in the box, or a file or folder of ABC and MIDI files (pip: minigen[music])
    hidden: int = 192  # numbers in the state of a layer
    layers: int = 2  # recurrent layers, one above the other
    dropout: float = 0.4  # share of each layer's output that is dropped in training
    steps: int = 600  # steps of training, over which the learning rate falls
    batch_size: int = 32  # tunes a step
    lr: float = 3e-3  # largest learning rate of Adam
    clip: float = 1.0  # largest norm of the gradients
    every: int = 100  # steps from one checkpoint, with new tunes and a look at those held out, to the next
    ema: float | None = None  # average the weights, by so much of the old ones a step, such as 0.99, to write with
    seed: int = 0  # decides everything random: weights, keys, dropout
    max_steps: int | None = None  # stop after so many steps, whatever steps says

    def __post_init__(self) -> None:
        require_positive(self, "hidden", "layers", "steps", "batch_size", "lr", "clip", "every", "max_steps")
        require_decay(self.ema)
        require_share(self, "dropout")


EXTENDABLE = ("max_steps",)  # and not steps: the learning rate falls over all of them from the first step

State = tuple[Tensor, Tensor]


# ---------------------------------------------------------------- the network


class Composer(layers.Module):
    """Notes so far (N, T, 12) → logits of the pitch of each next one (N, T, pitches), and of its length."""

    def __init__(self, notation: Notation, recipe: Recipe, rng: np.random.Generator) -> None:
        super().__init__()
        width, lengths = recipe.hidden, len(notation.lengths)
        self.pitch = layers.Embedding(notation.pitches, width, rng=rng)
        self.length = layers.Embedding(lengths, width, rng=rng)
        self.metre = layers.Embedding(len(notation.metres), width, rng=rng)
        self.place = layers.Embedding(notation.places, width, rng=rng)
        self.back = layers.ModuleList([layers.Embedding(notation.pitches, width, rng=rng) for _ in BACK])
        self.recurrent = layers.LSTM(width, width, recipe.layers, dropout=recipe.dropout, rng=rng)
        self.dropout = layers.Dropout(recipe.dropout, rng=rng)
        self.to_pitch = layers.Linear(width, notation.pitches, rng=rng)
        self.to_length = layers.Linear(width, lengths, rng=rng)
        # What column 4 or 5 and the like say is 1 in its row; 0 says that nothing was there.
        self.pitch_rows = np.diag([0.0] + [1.0] * (notation.pitches - 1))
        self.length_rows = np.eye(lengths + 1)[:, 1:]
        self.repeat_pitch, self.repeat_length = (layers.Linear(width, len(BACK), rng=rng) for _ in range(2))

    def read(self, before: np.ndarray, state: State | None = None) -> tuple[Tensor, State]:
        """h (N, T, hidden) after the notes that came (N, T, 12), with what is known of where the next ones begin."""
        tables = (self.pitch, self.length, self.metre, self.place)
        x = sum((table(before[..., i]) for i, table in enumerate(tables)), mg.tensor(0.0))
        for i, table in enumerate(self.back):
            x = x + table(before[..., 4 + 2 * i])
        h, after = self.recurrent(x, state)
        return self.dropout(h), after

    def pitches(self, h: Tensor, before: np.ndarray) -> Tensor:
        """Logits of the pitch of the next note."""
        return self.to_pitch(h) + repeats(self.repeat_pitch(h), self.pitch_rows, before[..., 4::2])

    def lengths(self, h: Tensor, before: np.ndarray, pitch: np.ndarray) -> Tensor:
        """Logits of the length of the next note, when it has that pitch."""
        h = mg.tanh(h + self.pitch(pitch))
        return self.to_length(h) + repeats(self.repeat_length(h), self.length_rows, before[..., 5::2])

    def forward(self, before: np.ndarray, pitch: np.ndarray) -> tuple[Tensor, Tensor]:
        """Of whole tunes, `before` as of `read`: logits of each note's pitch, and of its length given its pitch."""
        h, _ = self.read(before)
        return self.pitches(h, before), self.lengths(h, before, pitch)


def repeats(more: Tensor, rows: np.ndarray, there: np.ndarray) -> Tensor:
    """`more` (N, T, 4) added to 0 where the rows of what was `there` (N, T, 4) are 1: (N, T, numbers)."""
    return (mg.expand_dims(more, -1) * mg.tensor(rows, dtype=more.dtype)[there]).sum(-2)


def known_before(notes: np.ndarray) -> np.ndarray:
    """What is known when each note (N, T, 12) is to come: the one before it, where it will begin, what began there."""
    first = np.zeros_like(notes[:, :1, :2])  # END: what a tune begins after
    return np.concatenate([np.concatenate([first, notes[:, :-1, :2]], 1), notes[..., 2:]], -1)


class Lesson(NamedTuple):
    """Tunes as they are learned: what is known before each note, the note, and which count."""

    before: np.ndarray
    pitch: np.ndarray
    length: np.ndarray
    sounding: np.ndarray  # 1 where notes are, which have a length, else 0
    there: np.ndarray  # 1 where notes are, and the first end

    @classmethod
    def of(cls, notes: np.ndarray) -> "Lesson":
        """Of the rows of tunes, (N, T, 12)."""
        pitch, length = notes[..., 0], notes[..., 1]
        there = np.pad(pitch[:, :-1] != END, ((0, 0), (1, 0)), constant_values=True)
        return cls(known_before(notes), pitch, length, (pitch != END).astype(np.float32), there.astype(np.float32))


def nats(model: Composer, lesson: Lesson) -> Tensor:
    """The mean of -log p over notes, of pitch and length together, and ends."""
    pitch, length = model(lesson.before, lesson.pitch)
    sounding, there = mg.tensor(lesson.sounding), mg.tensor(lesson.there)
    pitches = mg.cross_entropy(pitch, lesson.pitch, reduction="none") * there
    lengths = mg.cross_entropy(length, lesson.length, reduction="none") * sounding
    return (pitches + lengths).sum() / there.sum()


# ---------------------------------------------------------------- training


def split(source: str) -> tuple[list[Tune], list[Tune]]:
    """Tunes to learn, and every tenth, held out. Raises DataError for fewer than two."""
    tunes = load_tunes(source)
    if len(tunes) < 2:
        raise DataError(f"{source}: has one tune, and one has to be held out; give it two at least, better a hundred")
    held_out = tunes[1::10]
    return [tune for i, tune in enumerate(tunes) if i % 10 != 1], held_out


def train(recipe: Recipe, run: Run) -> None:
    """Minimise the nats a note by Adam, and fill the run folder."""
    rng = mg.random.generator(recipe.seed)
    known, held_out = split(recipe.tunes)
    notation = Notation.of([*known, *held_out])
    tunes = MovedTunes(known, notation, recipe.steps * recipe.batch_size, recipe.seed)
    model = Composer(notation, recipe, rng)
    optimizer = optim.Adam(model.parameters(), lr=recipe.lr)
    schedule = optim.WarmupLR(optimizer, max(recipe.steps // 20, 1), after=optim.CosineLR(optimizer, recipe.steps))
    loader = data.DataLoader(tunes, recipe.batch_size)

    @mg.record
    def step(lesson: Lesson) -> tuple[Tensor, float]:
        loss = nats(model, lesson)

        optimizer.zero_grad()
        loss.backward()
        norm = optim.clip_grad_norm(optimizer, recipe.clip)
        optimizer.step()
        return loss, norm

    state = {"model": model, "optimizer": optimizer, "schedule": schedule, "loader": loader, "rng": rng}
    state |= {"notation": notation, "ema": averaging(model, recipe.ema)}
    limits = {"steps": recipe.steps, "max_steps": recipe.max_steps, "round_length": recipe.every}
    with Steps(run, loader, state, **limits, held_out=held_out) as steps:
        for (notes,) in steps:
            loss, norm = step(Lesson.of(notes))
            steps.log(every=20, loss=loss, gradient_norm=norm)
            with steps.averaged():
                if steps.check_due:
                    steps.record(held_out_loss=measure(model, notation, held_out))
                if steps.sample_due:
                    made = compose(model, notation, Request(), mg.random.generator(recipe.seed))
                    save_text(steps.text_path(), "\n".join(abc_of(tune, i) for i, tune in enumerate(made, 1)))


def load(run: RunFolder) -> Composer:
    """The network of a run, as it was saved last."""
    model = Composer(saved_notation(run), run.load_recipe(Recipe), mg.random.generator(0))
    run.load_weights(model, averaged=model)
    return model


def saved_notation(run: RunFolder) -> Notation:
    """The notation that a run was trained in."""
    return Notation(**run.saved()["notation"])


def preprocessing(run: RunFolder) -> data.Preprocessing:
    """A tune in ABC as the rows that the network reads."""
    notation = saved_notation(run)
    return data.Preprocessing(
        "notes in ABC → (1, notes + 1, 12)", lambda text: notation.encode(read_prompt(text))[None]
    )


# ---------------------------------------------------------------- making up tunes


@dataclass(frozen=True)
class Request(Choice):
    """What can be asked of it."""

    prompt: str = ""  # notes in ABC that the tunes go on from, such as "C2E2 G2G2|"; an eighth is 1, a bar line is |
    metre: str = ""  # such as 3/4; nothing: one of those of the tunes that were learned
    n: int = 3  # tunes
    temperature: float = 0.8  # below 1 keeps to likely notes, 0 to the likeliest


def generate(run: RunFolder, request: Request, rng: np.random.Generator) -> Iterator[str]:
    """Tunes as ABC. Raises DataError for a prompt that is no ABC, or a metre that was not learned."""
    made = compose(load(run), saved_notation(run), request, rng)
    yield "\n".join(abc_of(tune, i) for i, tune in enumerate(made, 1))


def compose(model: Composer, notation: Notation, request: Request, rng: np.random.Generator) -> list[Tune]:
    """n tunes, each until the network ends it, or has MOST notes."""
    begun = [notation.opening(rng) for _ in range(request.n)]
    if request.prompt or request.metre:
        begun = [read_prompt(request.prompt, request.metre)] * request.n
    with evaluating(model):
        return [composed(model, notation, tune, request, rng, i) for i, tune in enumerate(begun, 1)]


def composed(
    model: Composer, notation: Notation, begun: Tune, choice: Choice, rng: np.random.Generator, number: int
) -> Tune:
    """A tune that goes on from what is begun."""
    notes = list(begun.notes)
    before, state = known_before(notation.encode(begun)[None]), None
    while True:
        h, state = model.read(before, state)
        h, before = h[:, -1:], before[:, -1:]
        pitch = choose(model.pitches(h, before).numpy()[0, 0], choice, rng)
        tune = replace(begun, notes=tuple(notes), title=f"Tune {number}")
        if pitch == END or len(notes) == MOST:
            return tune
        length = choose(model.lengths(h, before, np.array([[pitch]])).numpy()[0, 0], choice, rng)
        notes.append(notation.note(pitch, length))
        before = known_before(notation.encode(replace(begun, notes=tuple(notes)))[None])[:, -1:]


def save_sounds(path: Path, text: str) -> None:
    """Tunes in ABC as a MIDI file."""
    save_midi(path, [tune for tune in tunes_of(text) if isinstance(tune, Tune)])


def save_picture(path: Path, text: str) -> None:
    """Tunes in ABC as staves."""
    plots.save_score(path, [drawable(tune) for tune in tunes_of(text) if isinstance(tune, Tune)])


def drawable(tune: Tune) -> plots.Score:
    """What is drawn of a tune."""
    return plots.Score(tune.title, tune.metre, tune.start, tune.notes)


# Of what `generate` writes, by the end of a file's name.
FORMATS = {".abc": save_text, ".mid": save_sounds, ".midi": save_sounds, ".png": save_picture}


# ---------------------------------------------------------------- evaluation


def evaluate(run: RunFolder) -> dict[str, float]:
    """-log p of a held-out note in nats, beside that by counting; what is counted in new tunes, and in held-out ones.

    Draws three tunes.
    """
    known, held_out = split(run.load_recipe(Recipe).tunes)
    model, notation = load(run), saved_notation(run)
    made = compose(model, notation, Request(n=JUDGED), mg.random.generator(0))
    plots.save_score(run.path / "score.png", [drawable(tune) for tune in made[:3] if tune.pitches])
    figures = {"nats_per_note": measure(model, notation, held_out)}
    figures |= {"nats_per_note_by_counting": chain_nats(known, held_out, notation)}
    for prefix, tunes in (("", made), ("held_out_", held_out)):
        figures |= {f"{prefix}{name}": value for name, value in likeness(tunes, known).items()}
    return figures


def measure(model: Composer, notation: Notation, tunes: list[Tune]) -> float:
    """-log p of a note, or of an end, in nats."""
    with evaluating(model):
        return nats(model, Lesson.of(filled([notation.encode(tune) for tune in tunes]))).item()
