"""Films made on the spot, without limit: digits that move across a frame and bounce off its edges."""

import numpy as np

from minigen import data

SPEED = (2.0, 4.0)  # pixels a frame


class Bouncing:
    """Films (T, H, W, 1) in [0, 1] by their number, the same ones for a seed; a data set of `length`.

    Two of the images move with speeds and directions of their own; where both are, the brighter one is seen. After N.
    Srivastava, E. Mansimov, R. Salakhutdinov (2015), https://arxiv.org/abs/1502.04681, section 3.2.
    """

    def __init__(
        self, images: data.ImageDataset, length: int, frames: int, side: int, seed: int, digits: int = 2
    ) -> None:
        self.images, self.length, self.frames, self.side, self.seed = images, length, frames, side, seed
        self.digits = digits
        self.name = f"films of {images.name}"
        self.image_shape = (side, side, 1)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[np.ndarray]:
        return (self.batch(np.array([index]))[0][0],)

    def digest(self) -> str:
        """What decides the films."""
        return f"{data.facts(train=self.images)} {self.frames} {self.side} {self.seed} {self.digits}"

    def batch(self, rows: np.ndarray | slice) -> tuple[np.ndarray]:
        """Films (N, T, H, W, 1)."""
        numbers = np.arange(self.length)[rows] if isinstance(rows, slice) else rows
        return (np.stack([self.film(int(i)) for i in numbers]),)

    def film(self, index: int) -> np.ndarray:
        """One film (T, H, W, 1)."""
        rng = np.random.default_rng([self.seed, index])
        film = np.zeros((self.frames, self.side, self.side, 1), np.float32)
        for image in self.images[rng.integers(0, len(self.images), self.digits)][0]:
            height, width, _ = image.shape
            room = np.array([self.side - height, self.side - width])
            angle, speed = rng.uniform(0, 2 * np.pi), rng.uniform(*SPEED)
            step = speed * np.array([np.sin(angle), np.cos(angle)])
            for frame, (top, left) in zip(film, bounced(rng.uniform(0, room), step, room, self.frames), strict=True):
                part = frame[top : top + height, left : left + width]
                np.maximum(part, image, out=part)
        return film


def bounced(start: np.ndarray, step: np.ndarray, room: np.ndarray, frames: int) -> np.ndarray:
    """Whole places (frames, 2) on a straight way that is thrown back at 0 and at `room`."""
    way = start + np.arange(frames)[:, None] * step
    span = np.maximum(2 * room, 1e-9)
    return np.rint(np.abs((way + room) % span - room)).astype(int)
