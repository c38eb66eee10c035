"""marionette: a generated data set of human actions that needs no download.

Articulated figures walk, wave, sit down and so on, rendered to real H.264 files. Body, clothes,
camera, background, bystanders, tempo, phase and duration vary from video to video. Two pairs of
classes differ only in temporal order (sit down and stand up, pick up and put down), and one pair
only in speed (waving slowly and quickly). No single frame can tell those apart.
"""

from vidjax.data.marionette.actions import CLASSES, TIMED
from vidjax.data.marionette.contact_sheet import contact_sheet
from vidjax.data.marionette.generate import MarionetteSpec, generate, is_generated
from vidjax.data.marionette.render import render_video

__all__ = [
    "CLASSES",
    "TIMED",
    "MarionetteSpec",
    "contact_sheet",
    "generate",
    "is_generated",
    "render_video",
]
