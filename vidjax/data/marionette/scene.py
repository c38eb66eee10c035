"""Renders the room behind the figure: wall, floor, furniture and moving balls."""

from __future__ import annotations

import cv2
import numpy as np

Image = np.ndarray


def draw_room(rng: np.random.Generator, height: int, width: int, horizon: int) -> Image:
    """Renders a wall and a floor that meet at row `horizon`, with windows, pictures and furniture.

    Args:
      rng: random generator.
      height: height of the image in pixels.
      width: width of the image in pixels.
      horizon: row where the floor begins.

    Returns:
      float32 `[height, width, 3]`, RGB, 0 to 255.
    """
    room = np.empty((height, width, 3), np.float32)
    wall, floor = _muted(rng, 165, 235, 0.4), _muted(rng, 110, 190, 0.5)
    fade = np.linspace(1.06, 0.9, horizon)[:, None, None]
    room[:horizon] = wall * fade
    room[horizon:] = floor * np.linspace(0.82, 1.1, height - horizon)[:, None, None]
    _texture(rng, room[:horizon], 6)
    _planks(rng, room, horizon)
    for _ in range(int(rng.integers(1, 3)) * width // max(height, 1)):
        _hang(rng, room, horizon)
    for _ in range(int(rng.integers(0, 3)) * width // max(height, 1)):
        _furnish(rng, room, horizon)
    cv2.rectangle(room, (0, horizon - 3), (width, horizon), (wall * 0.75).tolist(), -1)
    return room.clip(0, 255)


def _muted(rng: np.random.Generator, low: float, high: float, saturation: float) -> np.ndarray:
    """Draws a muted colour, so that the figure stands out."""
    color = rng.uniform(low, high, 3)
    return saturation * color + (1 - saturation) * color.mean()


def _texture(rng: np.random.Generator, area: Image, strength: float) -> None:
    small = rng.normal(0, strength, (area.shape[0] // 12 + 2, area.shape[1] // 12 + 2, 1))
    smooth = cv2.resize(small.astype(np.float32), area.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    area += smooth[..., None]


def _planks(rng: np.random.Generator, room: Image, horizon: int) -> None:
    height, width = room.shape[:2]
    step = int(rng.integers(18, 60))
    for x in range(-width, 2 * width, step):
        color = room[-1, 0] * 0.93
        cv2.line(room, (x, horizon), (x + (x - width // 2) // 3, height), color.tolist(), 1)


def _hang(rng: np.random.Generator, room: Image, horizon: int) -> None:
    """Draws a window or a picture on the wall."""
    high, wide = rng.integers(horizon // 6, horizon // 2, 2)
    top = int(rng.integers(0, max(1, horizon // 2)))
    left = int(rng.integers(-20, room.shape[1]))
    corner = (left + int(wide), min(top + int(high), horizon - 12))
    inside, frame = _muted(rng, 140, 240, 0.4), _muted(rng, 90, 200, 0.4)
    cv2.rectangle(room, (left, top), corner, inside.tolist(), -1)
    cv2.rectangle(room, (left, top), corner, frame.tolist(), 3)
    if rng.random() < 0.5:
        middle = (left + corner[0]) // 2
        cv2.line(room, (middle, top), (middle, corner[1]), frame.tolist(), 2)


def _furnish(rng: np.random.Generator, room: Image, horizon: int) -> None:
    """Draws a cupboard or a table against the wall."""
    high, wide = int(rng.integers(20, horizon // 2 + 21)), int(rng.integers(25, 80))
    left = int(rng.integers(-20, room.shape[1]))
    color = _muted(rng, 110, 190, 0.4)
    bottom = horizon + 4
    cv2.rectangle(room, (left, bottom - high), (left + wide, bottom), color.tolist(), -1)
    top = (bottom - high, bottom - high + 4)
    cv2.rectangle(room, (left, top[0]), (left + wide, top[1]), (color * 1.2).tolist(), -1)


class Ball:
    """A ball that bounces through the room behind the figure."""

    def __init__(self, rng: np.random.Generator, height: int, width: int, horizon: int) -> None:
        self._start = rng.uniform(0, width)
        self._speed = rng.choice((-1, 1)) * rng.uniform(0.15, 0.6) * width
        self._radius = int(rng.uniform(0.025, 0.05) * height)
        self._bounce = rng.uniform(0.05, 0.3) * height
        self._rate, self._phase = rng.uniform(0.5, 1.2), rng.random()
        self._ground = rng.uniform(horizon, height)
        self._width = width
        self._color = rng.uniform(60, 240, 3).tolist()

    def draw(self, image: Image, time: float) -> None:
        """Draws the ball at a time in seconds."""
        span = self._width + 4 * self._radius
        x = (self._start + self._speed * time) % span - 2 * self._radius
        up = self._bounce * abs(np.sin(np.pi * (self._rate * time + self._phase)))
        center = (int(x), int(self._ground - up - self._radius))
        cv2.circle(image, center, self._radius, self._color, -1, cv2.LINE_AA)
