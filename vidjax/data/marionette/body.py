"""Renders a body: tapered limbs from back to front, shaded by distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from vidjax.data.marionette.appearance import Performer

Image = np.ndarray
Point = np.ndarray
# Sub-pixel bits of OpenCV's drawing functions, so that limbs move smoothly.
_SHIFT = 4
LIMBS = ("arm_l", "arm_r", "leg_l", "leg_r", "trunk")


class Brush:
    """Draws on an image in units of metres.

    Args:
      image: float32 `[H, W, 3]`, modified in place.
      project: maps a point in space `[3]` to (x, y) in pixels.
      pixels: pixels per metre.
      light: brightness factor.
    """

    def __init__(
        self, image: Image, project: Callable[[Point], Point], pixels: float, light: float
    ) -> None:
        self.image, self.project, self._pixels, self._light = image, project, pixels, light

    def limb(
        self,
        start: Point,
        end: Point,
        wide: float,
        narrow: float,
        color: tuple[float, ...],
        shade: float = 1.0,
    ) -> None:
        """Draws a rounded limb with radius `wide` at its start and `narrow` at its end."""
        a, b = self.project(start), self.project(end)
        along = b - a
        across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
        one, two = across * wide * self._pixels, across * narrow * self._pixels
        outline = np.array([a + one, b + two, b - two, a - one])
        paint = self._paint(color, shade)
        cv2.fillConvexPoly(self.image, self._fixed(outline), paint, cv2.LINE_AA, _SHIFT)
        self._disc(a, wide, paint)
        self._disc(b, narrow, paint)

    def disc(
        self, center: Point, radius: float, color: tuple[float, ...], shade: float = 1.0
    ) -> None:
        """Draws a disc of `radius` metres."""
        self._disc(self.project(center), radius, self._paint(color, shade))

    def _disc(self, center: Point, radius: float, paint: list[float]) -> None:
        x, y = self._fixed(center)
        size = max(1, round(radius * self._pixels * 2**_SHIFT))
        cv2.circle(self.image, (int(x), int(y)), size, paint, -1, cv2.LINE_AA, _SHIFT)

    def polygon(self, points: list[Point], color: tuple[float, ...], shade: float = 1.0) -> None:
        """Draws a convex polygon."""
        outline = np.array([self.project(point) for point in points])
        hull = cv2.convexHull(self._fixed(outline))
        cv2.fillConvexPoly(self.image, hull, self._paint(color, shade), cv2.LINE_AA, _SHIFT)

    @staticmethod
    def _fixed(points: Point) -> Point:
        return np.rint(points * 2**_SHIFT).astype(np.int32)

    def _paint(self, color: tuple[float, ...], shade: float) -> list[float]:
        return [min(255.0, channel * shade * self._light) for channel in color]


def draw_body(brush: Brush, points: dict[str, Point], performer: Performer, near: str) -> None:
    """Draws a person from back to front; `near` is the side closer to the camera, l or r."""
    far = "r" if near == "l" else "l"
    _leg(brush, points, performer, far, 0.72)
    _arm(brush, points, performer, far, 0.74)
    _leg(brush, points, performer, near, 1.0)
    _trunk(brush, points, performer)
    _head(brush, points, performer)
    _arm(brush, points, performer, near, 1.06)


def draw_limbs(
    brush: Brush, points: dict[str, Point], performer: Performer, limbs: Sequence[str]
) -> None:
    """Draws only the given ones of a person's `LIMBS`."""
    for name in limbs:
        part, _, side = name.partition("_")
        if part == "arm":
            _arm(brush, points, performer, side, 1.0)
        elif part == "leg":
            _leg(brush, points, performer, side, 1.0)
        else:
            _trunk(brush, points, performer)
            _head(brush, points, performer)


def _leg(brush: Brush, points: dict[str, Point], who: Performer, side: str, shade: float) -> None:
    hip, knee, ankle, toe = (points[f"{name}_{side}"] for name in ("hip", "knee", "ankle", "toe"))
    girth = who.girth
    brush.limb(ankle, toe, 0.042, 0.03, who.shoes, shade)
    brush.limb(knee, ankle, 0.058 * girth, 0.04 * girth, who.trousers, shade * 0.96)
    brush.limb(hip, knee, 0.085 * girth, 0.06 * girth, who.trousers, shade)


def _arm(brush: Brush, points: dict[str, Point], who: Performer, side: str, shade: float) -> None:
    shoulder, elbow, wrist = (points[f"{name}_{side}"] for name in ("shoulder", "elbow", "wrist"))
    cloth = who.shirt if who.sleeves else who.skin
    brush.limb(elbow, wrist, 0.04 * who.girth, 0.03 * who.girth, cloth, shade)
    brush.limb(shoulder, elbow, 0.052 * who.girth, 0.042 * who.girth, who.shirt, shade * 0.94)
    brush.disc(wrist + 0.25 * (wrist - elbow) / 2, 0.048, who.skin, shade)


def _trunk(brush: Brush, points: dict[str, Point], who: Performer) -> None:
    pelvis, neck = points["pelvis"], points["neck"]
    brush.limb(
        pelvis + 0.06 * (neck - pelvis),
        neck - 0.12 * (neck - pelvis),
        0.1 * who.girth,
        0.115 * who.girth,
        who.shirt,
    )
    corners = [points["shoulder_l"], points["shoulder_r"], points["hip_l"], points["hip_r"]]
    brush.polygon(corners, who.shirt)
    brush.limb(points["hip_l"], points["hip_r"], 0.085 * who.girth, 0.085 * who.girth, who.trousers)


def _head(brush: Brush, points: dict[str, Point], who: Performer) -> None:
    neck, head, radius = points["neck"], points["head"], who.build.head
    up = (head - neck) / max(float(np.linalg.norm(head - neck)), 1e-6)
    forward = np.array([up[1], -up[0], 0.0])
    brush.limb(neck - 0.04 * up, head, 0.045, 0.05, who.skin, 0.9)
    brush.disc(head + 0.25 * radius * up - 0.2 * radius * forward, radius, who.hair)
    brush.disc(head - 0.12 * radius * up + 0.22 * radius * forward, 0.86 * radius, who.skin)
