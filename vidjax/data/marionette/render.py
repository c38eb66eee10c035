"""Renders a video of the data set from its seed."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from vidjax.data.marionette import appearance, scene
from vidjax.data.marionette.actions import ACTIONS, Action, acting_limbs
from vidjax.data.marionette.body import Brush, draw_body, draw_limbs
from vidjax.data.marionette.skeleton import Pose, joints

Image = np.ndarray
# Rendered at twice the size and averaged down, so that thin limbs have no gaps.
_OVERSAMPLING = 2
_PERFORMERS = {"train": 24, "val": 8, "test": 8}
_STANDING = 1.75
_COLOURS = ("shirt", "skin", "trousers", "shoes", "hair")


def performer_name(split: str, seed: int, index: int) -> str:
    """Returns the performer of video number `index` of a class. Splits share no performers."""
    people = _PERFORMERS.get(split, 8)
    return f"{split}-{seed}-{index % people:02}"


def render_video(
    label: str,
    *,
    seed: int = 0,
    split: str = "train",
    index: int = 0,
    size: tuple[int, int] = (96, 128),
    fps: int = 15,
) -> Image:
    """Renders one video. The same arguments always give the same pixels.

    >>> render_video("walk", size=(32, 32), fps=2).shape[1:]
    (32, 32, 3)

    Args:
      label: one of `CLASSES`.
      seed: seed of the data set.
      split: `train`, `val` or `test`; their performers differ.
      index: number of the video within its class and split.
      size: height and width in pixels.
      fps: frames per second.

    Returns:
      uint8 `[T, H, W, 3]`, RGB.

    Raises:
      ValueError: the label is unknown.
    """
    return _shoot(label, seed, split, index, size, fps).film(lambda shot, time: shot.frame(time))


def render_masks(label: str, **video: Any) -> Image:
    """Renders the masks of the limbs that perform the action.

    Occluded parts of a limb are included.

    Args:
      label: as in `render_video`.
      **video: the other arguments of `render_video`.

    Returns:
      bool `[T, H, W]`.
    """
    return _shoot(label, **video).film(lambda shot, time: shot.mask(time))


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng((seed, zlib.crc32(name.encode())))


def _shoot(
    label: str,
    seed: int = 0,
    split: str = "train",
    index: int = 0,
    size: tuple[int, int] = (96, 128),
    fps: int = 15,
) -> _Shot:
    if label not in ACTIONS:
        raise ValueError(f"label {label!r} is unknown: known are {', '.join(sorted(ACTIONS))}")
    person = _generator(seed, performer_name(split, seed, index))
    # Classes that differ only in time share the distribution of these draws, not the draws.
    film = _generator(seed, f"{split}/{label}/{index}")
    return _Shot(label, appearance.draw_performer(person), film, size, fps)


class _Shot:
    """The state of one video during rendering."""

    def __init__(
        self,
        label: str,
        performer: appearance.Performer,
        rng: np.random.Generator,
        size: tuple[int, int],
        fps: int,
    ) -> None:
        self._fps = fps
        self.action: Action = ACTIONS[label]
        self.take = appearance.draw_take(rng, self.action)
        self._performer = performer
        self._size = size
        self._height, self._width = (_OVERSAMPLING * side for side in size)
        self._pixels = self.take.scale * self._height / _STANDING
        ground = self.take.center[1] * self._height
        self._horizon = int(ground - rng.uniform(0.1, 0.2) * self._height)
        self._margin = self._width
        room_width = self._width + 2 * self._margin
        self._room = scene.draw_room(rng, self._height, room_width, self._horizon)
        self._room *= np.float32(self.take.light)
        self._balls = [
            scene.Ball(rng, self._height, self._width, self._horizon)
            for _ in range(self.take.balls)
        ]
        self._other = appearance.draw_performer(rng)
        self._other_x = rng.choice((-1, 1)) * rng.uniform(0.75, 1.3)
        self._sway = rng.uniform(0.2, 0.6, 4), rng.random(4)
        self._thing = tuple(rng.uniform(120, 250, 3))
        self._noise = rng.normal(0, self.take.noise, (self._height, self._width, 3))
        self._noise = self._noise[: size[0] + 16, : size[1] + 16].astype(np.float32)
        self._rng = rng
        self._travelled = self._pose(self.take.seconds / 2).travel

    def film(self, picture: Callable[[_Shot, float], Image]) -> Image:
        """Renders an image for the time of each frame."""
        return np.stack(
            [picture(self, k / self._fps) for k in range(round(self.take.seconds * self._fps))]
        )

    def _pose(self, time: float) -> Pose:
        if self.action.repeats:
            return self.action.motion(self.take.phase + self.take.tempo * time)
        done = min(max((time - self.take.phase) * self.take.tempo, 0.0), 1.0)
        return self.action.motion(1 - done if self.action.backwards else done)

    def frame(self, time: float) -> Image:
        """Renders the frame at a time in seconds, uint8 `[H, W, 3]`."""
        pose = self._pose(time)
        pan, bob = self._camera(pose, time)
        image = self._behind(pan)
        for ball in self._balls:
            ball.draw(image, time)
        if self.take.bystander:
            self._stand_by(image, pan, time)
        self._perform(image, pose, pan, bob)
        return self._finish(image)

    def mask(self, time: float) -> Image:
        """Renders the mask of the acting limbs at a time, bool `[H, W]`."""
        pose = self._pose(time)
        image = np.zeros((self._height, self._width, 3), np.float32)
        brush, points = self._figure(image, pose, *self._camera(pose, time))
        white: dict[str, Any] = dict.fromkeys(_COLOURS, (255.0,) * 3)
        performer = dataclasses.replace(self._performer, **white)
        draw_limbs(brush, points, performer, acting_limbs(self.action))
        # Half a pixel covered, at the lowest brightness.
        return self._shrink(image)[..., 0] > 0.5 * 255 * self.take.light * 0.9

    def _camera(self, pose: Pose, time: float) -> tuple[float, float]:
        """Computes the pan and rise of the camera in pixels."""
        travel = pose.travel - self._travelled
        along = np.cos(self.take.yaw) * (-1 if self.take.faces_left else 1)
        sway = self.take.shake * self._height * self._hand(time)
        return along * travel * self.take.follows * self._pixels + sway[0], sway[1]

    def _hand(self, time: float) -> np.ndarray:
        """Computes the shake of a hand-held camera."""
        rates, phases = self._sway
        waves = np.sin(2 * np.pi * (rates * time + phases))
        return np.array([waves[0] + 0.5 * waves[1], waves[2] + 0.5 * waves[3]])

    def _behind(self, pan: float) -> Image:
        span = self._room.shape[1] - self._width
        # The room is repeated mirrored, so it never ends, however far a runner goes.
        place = (self._margin + pan) % (2 * span)
        left = span - abs(span - place)
        move = np.array([[1, 0, -left], [0, 1, 0]], np.float64)
        return cv2.warpAffine(
            self._room, move, (self._width, self._height), borderMode=cv2.BORDER_REFLECT
        )

    def _brush(self, image: Image, x: float, y: float, scale: float = 1.0) -> Brush:
        yaw, mirror = self.take.yaw, -1 if self.take.faces_left else 1
        toward = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        pixels = self._pixels * scale

        def project(point: np.ndarray) -> np.ndarray:
            return np.array([x + mirror * pixels * float(point @ toward), y - pixels * point[1]])

        return Brush(image, project, pixels, self.take.light)

    def _figure(
        self, image: Image, pose: Pose, pan: float, bob: float
    ) -> tuple[Brush, dict[str, np.ndarray]]:
        """Returns a brush for the figure, and the positions of its joints."""
        x = self.take.center[0] * self._width - pan
        y = self.take.center[1] * self._height + bob
        points = joints(pose, self._performer.build)
        shift = np.array([-self._travelled, 0.0, 0.0])
        return self._brush(image, x, y), {name: point + shift for name, point in points.items()}

    def _perform(self, image: Image, pose: Pose, pan: float, bob: float) -> None:
        brush, points = self._figure(image, pose, pan, bob)
        self._shadow(image, brush, points, pose.lift)
        if self.action.prop == "chair":
            self._chair(brush)
        if self.action.prop == "thing" and not pose.carried:
            brush.disc(np.array([0.42, 0.09, -0.15]), 0.09, self._thing)
        # The figure's left side is away from the camera.
        draw_body(brush, points, self._performer, near="r")
        if self.action.prop == "thing" and pose.carried:
            brush.disc(points["wrist_r"] + np.array([0.06, -0.03, 0.0]), 0.09, self._thing)

    def _shadow(
        self, image: Image, brush: Brush, points: dict[str, np.ndarray], lift: float
    ) -> None:
        feet = [points[name] * np.array([1, 0, 1]) for name in ("ankle_l", "ankle_r", "pelvis")]
        x, y = brush.project(sum(feet) / 3)
        size = (int(0.34 * self._pixels), int(0.06 * self._pixels))
        shade = image.copy()
        cv2.ellipse(shade, (int(x), int(y)), size, 0, 0, 360, (20.0, 20.0, 24.0), -1, cv2.LINE_AA)
        cv2.addWeighted(shade, 0.45 / (1 + 2 * lift), image, 1 - 0.45 / (1 + 2 * lift), 0, image)

    def _chair(self, brush: Brush) -> None:
        build = self._performer.build
        seat, wood = build.shank - 0.02, (120.0, 84.0, 52.0)
        back, front = -build.thigh - 0.12, -0.06
        for depth, shade in ((0.2, 0.7), (-0.2, 1.0)):
            for x in (back, front):
                foot = np.array([x, 0.0, depth])
                brush.limb(foot, np.array([x, seat, depth]), 0.02, 0.02, wood, shade)
            top = np.array([back - 0.06, seat + 0.48, depth])
            brush.limb(np.array([back, seat, depth]), top, 0.022, 0.02, wood, shade)
        corners = [np.array([x, seat, z]) for x in (back, front) for z in (-0.2, 0.2)]
        brush.polygon([*corners, *(c - np.array([0, 0.05, 0]) for c in corners)], wood, 0.9)

    def _stand_by(self, image: Image, pan: float, time: float) -> None:
        x = self._width * (0.5 + 0.3 * self._other_x) - 0.8 * pan
        brush = self._brush(image, x, self._horizon + 0.04 * self._height, 0.72)
        pose = Pose(lean=0.03 * np.sin(1.3 * time))
        draw_body(brush, joints(pose, self._other.build), self._other, near="r")

    def _finish(self, image: Image) -> Image:
        small = self._shrink(image)
        y, x = self._rng.integers(0, 17, 2)
        grain = self._noise[y : y + self._size[0], x : x + self._size[1]]
        return np.rint(small + grain).clip(0, 255).astype(np.uint8)

    def _shrink(self, image: Image) -> Image:
        """Applies the camera roll and averages down to the video's size."""
        turn = cv2.getRotationMatrix2D(
            (self._width / 2, self._height / 2), float(np.degrees(self.take.roll)), 1.0
        )
        image = cv2.warpAffine(
            image, turn, (self._width, self._height), borderMode=cv2.BORDER_REFLECT
        )
        return cv2.resize(image, self._size[::-1], interpolation=cv2.INTER_AREA)
