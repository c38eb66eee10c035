"""Tests that descriptions and defaults of settings are read from docstrings and signatures."""

import dataclasses

from vidjax.docstrings import defaults, meanings, settings_of
from vidjax.settings import Setting, number


def build(*, width: int = 8, depth: int, pool="max", **options):
    """Builds.

    Args:
      width: channels of the stem,
        and of stage 1. None is 8.
      depth, pool: of one line; with a colon: here.
      edge: likewise.
      **options: as in `Part`.

    Raises:
      ValueError: width: no meaning stands here.
    """


@dataclasses.dataclass
class Base:
    """A base.

    Attributes:
      edge: of the base.
      rate: of the base too.
    """

    edge: str = "base"
    rate: float = 0.5


@dataclasses.dataclass
class Part(Base):
    """A part.

    Attributes:
      edge: of the part.

    What follows: is no attribute.
    """

    edge: str = "part"


def test_descriptions_come_from_args_and_attributes():
    assert meanings(build) == {
        "width": "channels of the stem, and of stage 1. None is 8",
        "depth": "of one line; with a colon: here",
        "pool": "of one line; with a colon: here",
        "edge": "likewise",
        "options": "as in `Part`",
    }
    assert meanings(Part) == {"edge": "of the part", "rate": "of the base too"}
    assert meanings(len) == meanings(lambda: None) == {}


def test_defaults_come_from_signatures_and_fields():
    assert defaults(build) == {"width": 8, "pool": "max"}
    assert defaults(Part) == {"edge": "part", "rate": 0.5}


def test_the_first_source_of_a_setting_takes_precedence():
    kinds = {name: number(0, 1) for name in ("width", "edge", "rate", "nowhere")}
    text = "a number in [0, 1]"
    assert settings_of(kinds, build, Part) == {
        "width": Setting(8, text, "channels of the stem, and of stage 1. None is 8"),
        "edge": Setting("part", text, "of the part"),
        "rate": Setting(0.5, text, "of the base too"),
        "nowhere": Setting(..., text, ""),
    }
