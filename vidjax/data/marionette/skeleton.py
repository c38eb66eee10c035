"""The skeleton: computes joint positions in space from the angles of a pose.

Coordinates are in metres: x forward, y up, z to the figure's left. All angles are absolute and in
radians. `pitch` swings a hanging limb forward, and `out` raises it sideways.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

Vector = np.ndarray
SIDES = (1.0, -1.0)


@dataclass(frozen=True)
class Arm:
    """Angles of an arm: the upper arm, and the forearm."""

    pitch: float = 0.05
    out: float = 0.12
    fore_pitch: float = 0.25
    fore_out: float = 0.08


@dataclass(frozen=True)
class Leg:
    """Angles of a leg: thigh, bend of the knee, pitch of the foot (toes up positive)."""

    pitch: float = 0.0
    out: float = 0.05
    knee: float = 0.04
    foot: float = 0.0


@dataclass(frozen=True)
class Pose:
    """A pose. Pairs of limbs are (left, right).

    Attributes:
      lean: forward lean of the torso.
      nod: forward nod of the head, relative to the torso.
      arms: both arms.
      legs: both legs.
      lift: height of the lower foot above the ground in metres.
      travel: distance that the figure has moved forward in metres.
      carried: 1 if the thing is in the right hand, 0 if it lies on the ground.
    """

    lean: float = 0.02
    nod: float = 0.0
    arms: tuple[Arm, Arm] = field(default_factory=lambda: (Arm(), Arm()))
    legs: tuple[Leg, Leg] = field(default_factory=lambda: (Leg(), Leg()))
    lift: float = 0.0
    travel: float = 0.0
    carried: float = 0.0


@dataclass(frozen=True)
class Build:
    """Body dimensions in metres."""

    thigh: float = 0.43
    shank: float = 0.42
    foot: float = 0.2
    torso: float = 0.5
    shoulders: float = 0.19
    hips: float = 0.1
    upper_arm: float = 0.28
    forearm: float = 0.25
    neck: float = 0.1
    head: float = 0.115


def joints(pose: Pose, build: Build) -> dict[str, Vector]:
    """Computes joint positions `[3]`: pelvis, neck, head, `shoulder_l`, ..., `toe_r`."""
    lean = np.array([np.sin(pose.lean), np.cos(pose.lean), 0.0])
    nod = pose.lean + pose.nod
    result = {"pelvis": np.zeros(3), "neck": build.torso * lean}
    upward = np.array([np.sin(nod), np.cos(nod), 0.0])
    result["head"] = result["neck"] + (build.neck + 0.7 * build.head) * upward
    for name, side, arm, leg in zip("lr", SIDES, pose.arms, pose.legs, strict=True):
        across = np.array([0.0, 0.0, side])
        shoulder = 0.93 * build.torso * lean + build.shoulders * across
        elbow = shoulder + build.upper_arm * _direction(arm.pitch, arm.out, side)
        hip = build.hips * across
        knee = hip + build.thigh * _direction(leg.pitch, leg.out, side)
        ankle = knee + build.shank * _direction(leg.pitch - leg.knee, leg.out, side)
        result[f"shoulder_{name}"], result[f"elbow_{name}"] = shoulder, elbow
        wrist = elbow + build.forearm * _direction(arm.fore_pitch, arm.fore_out, side)
        result[f"wrist_{name}"] = wrist
        result[f"hip_{name}"], result[f"knee_{name}"], result[f"ankle_{name}"] = hip, knee, ankle
        toe = np.array([np.cos(leg.foot), np.sin(leg.foot), 0.0])
        result[f"toe_{name}"] = ankle + build.foot * toe + np.array([0.0, -0.04, 0.0])
    lowest = min(result[name][1] for name in ("ankle_l", "ankle_r", "toe_l", "toe_r"))
    ground = np.array([pose.travel, pose.lift - lowest, 0.0])
    return {name: point + ground for name, point in result.items()}


def _direction(pitch: float, out: float, side: float) -> Vector:
    return np.array([np.sin(pitch) * np.cos(out), -np.cos(pitch) * np.cos(out), side * np.sin(out)])
