"""The forms by name. A new one is a file with a `FORM`, and a line here."""

from __future__ import annotations

from vidjax.layers.convolution import (
    blocks,
    frame_by_frame,
    overlap,
    pallas,
    patches,
    phases,
    pointwise,
    reduced,
    shifted,
    taps,
    winograd,
    xla,
)
from vidjax.layers.convolution.form import Form
from vidjax.layers.convolution.onednn import form as onednn
from vidjax.layers.convolution.problem import Problem

FORMS: dict[str, Form] = {
    "xla": xla.FORM,
    "pointwise": pointwise.FORM,
    "taps": taps.FORM,
    "patches": patches.FORM,
    "winograd": winograd.FORM,
    "frame_by_frame": frame_by_frame.FORM,
    "blocks": blocks.FORM,
    "overlap": overlap.FORM,
    "phases": phases.FORM,
    "shifted": shifted.FORM,
    "reduced": reduced.FORM,
    "pallas": pallas.FORM,
    "onednn": onednn.FORM,
}


def candidates(name: str, problem: Problem) -> list[str]:
    """The forms that have a pass of a problem."""
    return [form for form in FORMS if FORMS[form].has(name, problem)]
