"""Draws what varies from video to video: body, clothes, camera, light, bystanders, timing."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np

from vidjax.data.marionette.actions import Action
from vidjax.data.marionette.skeleton import Build

Color = tuple[float, float, float]
_SKIN = ((241, 203, 176), (224, 172, 138), (198, 140, 102), (150, 98, 66), (104, 66, 46))
_HAIR = ((40, 30, 26), (84, 56, 36), (150, 108, 60), (200, 170, 110), (120, 118, 116))


@dataclass(frozen=True)
class Performer:
    """A person's body and clothes. Colours are RGB, 0 to 255."""

    build: Build
    girth: float
    skin: Color
    hair: Color
    shirt: Color
    trousers: Color
    shoes: Color
    sleeves: bool


@dataclass(frozen=True)
class Take:
    """How one video is filmed.

    Attributes:
      seconds: duration.
      tempo: repetitions per second; for a one-time action, 1 / duration.
      phase: phase at the start of a cyclic action; start time in seconds of a one-time action.
      yaw: angle between the figure's forward axis and the image plane in radians.
      faces_left: whether the figure is mirrored.
      scale: height of a 1.75 m figure as a fraction of the image height.
      center: position of the figure's feet, as fractions of width and height.
      follows: fraction of the figure's motion that the camera follows.
      shake: amplitude of camera shake as a fraction of the height.
      roll: camera roll in radians.
      light: brightness factor.
      noise: standard deviation of the sensor noise, on a scale of 0 to 255.
      balls: number of moving distractor balls.
      bystander: whether someone stands in the background.
    """

    seconds: float
    tempo: float
    phase: float
    yaw: float
    faces_left: bool
    scale: float
    center: tuple[float, float]
    follows: float
    shake: float
    roll: float
    light: float
    noise: float
    balls: int
    bystander: bool


def draw_performer(rng: np.random.Generator) -> Performer:
    """Draws a random person."""
    tall = rng.uniform(0.94, 1.06)
    base = Build()
    legs, arms = tall * rng.uniform(0.95, 1.05), tall * rng.uniform(0.94, 1.06)
    build = replace(
        base,
        thigh=base.thigh * legs,
        shank=base.shank * legs,
        torso=base.torso * tall * rng.uniform(0.94, 1.06),
        shoulders=base.shoulders * rng.uniform(0.88, 1.15),
        hips=base.hips * rng.uniform(0.9, 1.2),
        upper_arm=base.upper_arm * arms,
        forearm=base.forearm * arms,
        head=base.head * rng.uniform(0.92, 1.08),
    )
    return Performer(
        build=build,
        girth=rng.uniform(0.85, 1.25),
        skin=_pick(rng, _SKIN),
        hair=_pick(rng, _HAIR),
        shirt=_cloth(rng, (0.55, 0.95), (0.3, 0.75)),
        trousers=_cloth(rng, (0.2, 0.7), (0.1, 0.45)),
        shoes=_cloth(rng, (0.0, 0.4), (0.1, 0.9)),
        sleeves=bool(rng.random() < 0.5),
    )


def draw_take(rng: np.random.Generator, action: Action) -> Take:
    """Draws how a video of `action` is filmed, from a random generator."""
    tempo = float(np.exp(rng.uniform(*np.log(action.tempo))))
    seconds = rng.uniform(2.1, 3.2)
    phase = rng.random()
    if not action.repeats:
        # The times before and after it have one distribution, so they do not reveal reversal.
        phase = rng.uniform(0.1, 0.9) * max(seconds - 1 / tempo, 0.0)
    return Take(
        seconds=seconds,
        tempo=tempo,
        phase=phase,
        yaw=float(np.radians(rng.uniform(*action.view))),
        faces_left=bool(rng.random() < 0.5),
        scale=rng.uniform(0.66, 0.78),
        center=(rng.uniform(0.42, 0.58), rng.uniform(0.91, 0.96)),
        follows=rng.uniform(0.85, 1.0),
        shake=rng.uniform(0.0, 0.008),
        roll=rng.normal(0, 0.02),
        light=rng.uniform(0.8, 1.1),
        noise=rng.uniform(1.0, 4.0),
        balls=int(rng.choice(3, p=(0.7, 0.2, 0.1))),
        bystander=bool(rng.random() < 0.15),
    )


def _pick(rng: np.random.Generator, colors: tuple[Color, ...]) -> Color:
    red, green, blue = np.array(colors[rng.integers(len(colors))]) * rng.uniform(0.92, 1.08)
    return red, green, blue


def _cloth(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> Color:
    hue = rng.random()
    red, green, blue = colorsys.hsv_to_rgb(hue, rng.uniform(*saturation), rng.uniform(*value))
    return 255 * red, 255 * green, 255 * blue
