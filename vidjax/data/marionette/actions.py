"""The action classes. Each is a motion: a function from phase to pose.

A cyclic action repeats, and its phase counts the repetitions. A one-time action happens once, from
phase 0 to 1. Played backwards it is another class, with the same poses in reverse order.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vidjax.data.marionette.skeleton import Arm, Build, Leg, Pose, joints

Motion = Callable[[float], Pose]
_TURN = 2 * math.pi


@dataclass(frozen=True)
class Action:
    """An action class.

    Attributes:
      motion: function from phase to pose.
      tempo: range of repetitions per second; for a one-time action, 1 / duration.
      view: range of the angle between the figure's forward axis and the image plane, in degrees:
        0 is a side view, 90 faces the camera.
      repeats: whether the action is cyclic; if not, it is done once.
      backwards: whether a one-time action runs from phase 1 to 0.
      prop: object of the action: a `chair`, a `thing`, or empty.
    """

    motion: Motion
    tempo: tuple[float, float]
    view: tuple[float, float] = (0.0, 35.0)
    repeats: bool = True
    backwards: bool = False
    prop: str = ""


def _wave(phase: float) -> float:
    return math.sin(_TURN * phase)


def _pulse(phase: float) -> float:
    """Goes smoothly from 0 to 1 and back within one repetition."""
    return 0.5 - 0.5 * math.cos(_TURN * phase)


def _ease(phase: float) -> float:
    """Goes smoothly from 0 to 1."""
    phase = min(max(phase, 0.0), 1.0)
    return phase * phase * (3 - 2 * phase)


def _mix(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def _walk(phase: float) -> Pose:
    left, right = _wave(phase), _wave(phase + 0.5)
    legs = tuple(
        Leg(
            pitch=0.48 * _wave(p) + 0.03,
            knee=0.1 + 0.8 * max(0.0, math.cos(_TURN * p)) ** 1.3,
            foot=0.35 * max(0.0, _wave(p)) - 0.5 * max(0.0, -_wave(p - 0.04)) ** 2,
        )
        for p in (phase, phase + 0.5)
    )
    arms = tuple(
        Arm(pitch=-0.5 * s, out=0.1, fore_pitch=-0.5 * s + 0.3, fore_out=0.05)
        for s in (left, right)
    )
    return Pose(lean=0.05, arms=arms, legs=legs, travel=1.5 * phase)  # type: ignore[arg-type]


def _run(phase: float) -> Pose:
    legs = tuple(
        Leg(
            pitch=0.8 * _wave(p) + 0.2,
            knee=0.35 + 1.3 * max(0.0, math.cos(_TURN * (p + 0.06))) ** 1.1,
            foot=-0.4 * max(0.0, -_wave(p)),
        )
        for p in (phase, phase + 0.5)
    )
    arms = tuple(
        Arm(pitch=-0.85 * s - 0.1, out=0.12, fore_pitch=-0.85 * s + 1.45, fore_out=-0.15)
        for s in (_wave(phase), _wave(phase + 0.5))
    )
    lift = 0.09 * abs(math.cos(_TURN * phase))
    return Pose(lean=0.24, arms=arms, legs=legs, lift=lift, travel=2.4 * phase)  # type: ignore[arg-type]


def _skip(phase: float) -> Pose:
    """Steps and hops on alternating legs, with the free knee high and the arms swinging up."""
    hop = abs(_wave(phase))
    legs = tuple(
        Leg(
            pitch=1.25 * max(0.0, s) - 0.15, knee=1.5 * max(0.0, s) + 0.1, foot=-0.5 * hop * (s < 0)
        )
        for s in (_wave(phase), -_wave(phase))
    )
    arms = tuple(
        Arm(pitch=0.2 + 1.7 * max(0.0, s), out=0.15, fore_pitch=0.8 + 1.9 * max(0.0, s))
        for s in (-_wave(phase), _wave(phase))
    )
    return Pose(lean=0.02, arms=arms, legs=legs, lift=0.28 * hop**1.5, travel=1.5 * phase)  # type: ignore[arg-type]


def _jump(phase: float) -> Pose:
    """Crouches, jumps straight up with both arms raised, and lands."""
    crouch, fly = _pulse(phase * 2) if phase % 1 < 0.5 else 0.0, 0.0
    if phase % 1 >= 0.5:
        fly = math.sin(_TURN * (phase % 1 - 0.5))
    leg = Leg(pitch=0.95 * crouch + 0.02, knee=1.75 * crouch + 0.05, foot=-0.7 * fly)
    raised = _mix(-0.7 * crouch, 2.7, fly)
    arm = Arm(pitch=raised, out=0.12, fore_pitch=raised + 0.2, fore_out=0.08)
    return Pose(lean=0.55 * crouch, arms=(arm, arm), legs=(leg, leg), lift=0.32 * fly)


def _jumping_jack(phase: float) -> Pose:
    wide = _pulse(phase)
    arm = Arm(pitch=0.0, out=0.15 + 2.6 * wide, fore_pitch=0.0, fore_out=0.1 + 2.85 * wide)
    leg = Leg(out=0.04 + 0.42 * wide, knee=0.1 * (1 - wide))
    lift = 0.1 * abs(_wave(phase))
    return Pose(arms=(arm, arm), legs=(leg, leg), lift=lift)


def _wave_one(phase: float) -> Pose:
    sweep = _wave(phase)
    waving = Arm(pitch=0.15, out=1.75, fore_pitch=0.1, fore_out=2.8 + 0.85 * sweep)
    return Pose(arms=(Arm(), waving), lean=0.02)


def _wave_both(phase: float) -> Pose:
    sweep = _wave(phase)
    arm = Arm(pitch=0.1, out=1.75 + 0.15 * sweep, fore_pitch=0.1, fore_out=2.75 + 0.7 * sweep)
    return Pose(arms=(arm, arm))


def _clap(phase: float) -> Pose:
    apart = _pulse(phase)
    arm = Arm(pitch=0.75, out=0.25 + 0.75 * apart, fore_pitch=1.5, fore_out=-0.75 + 1.45 * apart)
    return Pose(arms=(arm, arm))


def _box(phase: float) -> Pose:
    arms = tuple(
        Arm(
            pitch=_mix(0.35, 1.5, punch),
            out=_mix(0.35, 0.0, punch),
            fore_pitch=_mix(2.5, 1.55, punch),
            fore_out=_mix(0.0, -0.12, punch),
        )
        for punch in (max(0.0, _wave(phase)) ** 0.7, max(0.0, -_wave(phase)) ** 0.7)
    )
    legs = (Leg(pitch=0.32, knee=0.35), Leg(pitch=-0.22, knee=0.3))
    return Pose(lean=0.12 + 0.05 * abs(_wave(phase)), arms=arms, legs=legs)  # type: ignore[arg-type]


def _bend(phase: float) -> Pose:
    down = _pulse(phase)
    arm = Arm(pitch=0.25 * down, out=0.1, fore_pitch=0.25 + 0.1 * down)
    leg = Leg(pitch=-0.14 * down, knee=0.06)
    return Pose(lean=1.75 * down, nod=0.35 * down, arms=(arm, arm), legs=(leg, leg))


def _kick(phase: float) -> Pose:
    phase %= 1.0
    back = math.sin(math.pi * min(phase / 0.35, 1.0)) if phase < 0.35 else 0.0
    forth = math.sin(math.pi * (phase - 0.35) / 0.65) if phase >= 0.35 else 0.0
    kicking = Leg(
        pitch=-0.6 * back + 1.5 * forth, knee=1.3 * back + 0.25 * (1 - forth), foot=0.3 * forth
    )
    arms = (
        Arm(pitch=0.6 * forth - 0.2 * back, out=0.5, fore_pitch=0.9),
        Arm(pitch=-0.5 * forth, out=0.5, fore_pitch=0.2),
    )
    return Pose(lean=-0.25 * forth + 0.15 * back, arms=arms, legs=(Leg(knee=0.12), kicking))


def _sit(phase: float) -> Pose:
    """Goes from standing to sitting, leaning forward on the way."""
    down = _ease(phase)
    leaning = math.sin(math.pi * down)
    leg = Leg(pitch=1.45 * down, knee=1.5 * down + 0.04)
    arm = Arm(pitch=0.35 * down + 0.6 * leaning, fore_pitch=_mix(0.25, 1.25, down) + 0.2 * leaning)
    return Pose(lean=0.04 + 0.75 * leaning - 0.06 * down, arms=(arm, arm), legs=(leg, leg))


def _take(phase: float) -> Pose:
    """Bends the knees, takes a thing from the ground and stands up with it."""
    down = math.sin(math.pi * _ease(phase)) ** 1.2
    leg = Leg(pitch=1.05 * down, knee=1.5 * down + 0.04)
    up = _ease((phase - 0.5) * 2)
    reach = Arm(
        pitch=_mix(0.1, 0.55, down) + 0.35 * up * (1 - down),
        fore_pitch=_mix(0.3, 0.55, down) + 1.2 * up * (1 - down),
    )
    other = Arm(pitch=-0.3 * down, fore_pitch=0.2)
    return Pose(
        lean=0.02 + 1.1 * down,
        nod=0.2 * down,
        arms=(other, reach),
        legs=(leg, leg),
        carried=float(phase >= 0.5),
    )


_FRONT = (55.0, 90.0)
_ANY = (20.0, 80.0)

ACTIONS: dict[str, Action] = {
    "bend": Action(_bend, (0.45, 0.9)),
    "box": Action(_box, (0.8, 1.8)),
    "clap": Action(_clap, (0.9, 2.0), _FRONT),
    "jump": Action(_jump, (0.6, 1.1), _ANY),
    "jumping_jack": Action(_jumping_jack, (0.6, 1.4), _FRONT),
    "kick": Action(_kick, (0.5, 1.0)),
    "pick_up": Action(_take, (0.5, 0.9), repeats=False, prop="thing"),
    "put_down": Action(_take, (0.5, 0.9), repeats=False, backwards=True, prop="thing"),
    "run": Action(_run, (0.9, 1.7)),
    "sit_down": Action(_sit, (0.5, 1.0), repeats=False, prop="chair"),
    "skip": Action(_skip, (0.55, 1.0)),
    "stand_up": Action(_sit, (0.5, 1.0), repeats=False, backwards=True, prop="chair"),
    "walk": Action(_walk, (0.5, 1.2)),
    "wave_both_hands": Action(_wave_both, (0.6, 1.8), _FRONT),
    "wave_quickly": Action(_wave_one, (1.7, 2.4), _FRONT),
    "wave_slowly": Action(_wave_one, (0.45, 0.8), _FRONT),
}
CLASSES: tuple[str, ...] = tuple(sorted(ACTIONS))

_SHARED = Counter(action.motion for action in ACTIONS.values())
# Classes that share their poses with another class and differ in order or speed only, so that no
# single frame tells them apart.
TIMED: tuple[str, ...] = tuple(name for name in CLASSES if _SHARED[ACTIONS[name].motion] > 1)


_ENDS = {
    "arm_l": ("shoulder_l", "wrist_l"),
    "arm_r": ("shoulder_r", "wrist_r"),
    "leg_l": ("hip_l", "ankle_l"),
    "leg_r": ("hip_r", "ankle_r"),
    "trunk": ("pelvis", "neck"),
}


@functools.cache
def acting_limbs(action: Action) -> tuple[str, ...]:
    """Returns the limbs that move at least half as far as the limb that moves most."""
    poses = [joints(action.motion(phase), Build()) for phase in np.linspace(0, 1, 33)]
    reach = {
        name: float(np.ptp([pose[end] - pose[start] for pose in poses], axis=0).max())
        for name, (start, end) in _ENDS.items()
    }
    return tuple(name for name, far in reach.items() if far >= max(reach.values()) / 2)
