"""Says in our words what is wrong with the flags of a command line.

absl and ml_collections describe their own insides, such as a value None of a missing flag.
"""

from __future__ import annotations

import re

from absl import flags

_MISSING = re.compile(r"flag --(\S+)=None: Flag --\1 must have a value other than None\.")
_CONFIG = re.compile(r"flag --config=.*: Overriding config is not allowed\.")
_SUGGESTED = re.compile(r"Did you mean: (.*) \?")
_NUMBERS = (
    (re.compile(r"could not convert string to float: (.*)"), r"\1 is not a number"),
    (re.compile(r"invalid literal for int\(\) with base \d+: (.*)"), r"\1 is not a whole number"),
)


def described(error: flags.Error) -> str:
    """Describes a wrong, missing or unknown flag in one line.

    Examples:
      >>> described(flags.UnrecognizedFlagError("vidoe", suggestions=["video"]))
      '--vidoe is not a flag; did you mean --video? See --help'
    """
    if isinstance(error, flags.UnrecognizedFlagError):
        found = _SUGGESTED.search(str(error))
        near = " or ".join(f"--{name}" for name in found[1].split(", ")) if found else ""
        return f"--{error.flagname} is not a flag; " + (
            f"did you mean {near}? See --help" if near else "see --help"
        )
    # A traceback may stand above the message.
    text = str(error).strip().splitlines()[-1].removeprefix("ValueError: ")
    if missing := _MISSING.fullmatch(text):
        return f"--{missing[1]} is missing; see --help"
    if _CONFIG.fullmatch(text):
        return (
            "--config cannot be given here, because the settings are those of the run or the "
            "weights; change single ones, such as --config.eval.clips=3"
        )
    return f"{plain(text).removeprefix('flag ').rstrip('.')}; see --help"


def plain(text: str) -> str:
    """Replaces Python's words for a text that is no number.

    Examples:
      >>> plain("--clips=many: invalid literal for int() with base 10: 'many'")
      "--clips=many: 'many' is not a whole number"
    """
    for pattern, words in _NUMBERS:
        text = pattern.sub(words, text)
    return text
