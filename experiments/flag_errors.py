"""Says in our words what is wrong with the flags of a command line.

absl and ml_collections describe their own insides, such as a value None of a missing flag.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

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
        names = [*_settings(error.flagname), *(found[1].split(", ") if found else ())]
        near = " or ".join(f"--{name}" for name in names)
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


def _settings(name: str) -> list[str]:
    """Returns the settings that a name without `config.` may mean, if the command has settings.

    Examples:
      >>> _settings("unheard_of")
      []
    """
    if "config" not in flags.FLAGS:
        return []
    from vidjax.run.setting_list import settings

    paths = [each.path for each in settings()]
    return [f"config.{path}" for path in paths if f".{path}".endswith(f".{name}")]


def unexpected(argument: str) -> str:
    """Describes an argument that a command does not take."""
    from vidjax import configs

    is_name = "config" in flags.FLAGS and argument.partition(":")[0] in configs.names()
    return f"unexpected argument {argument!r}; " + (
        f"did you mean --config={argument}? See --help" if is_name else "see --help"
    )


def stray(arguments: Sequence[str]) -> str | None:
    """Returns the first argument that is neither a flag nor the value of one; None without one."""
    is_value = False
    for place, argument in enumerate(arguments):
        name, equals, _ = argument.lstrip("-").partition("=")
        if argument == "--":
            return next(iter(arguments[place + 1 :]), None)
        if argument.startswith("-"):
            is_switch = name in flags.FLAGS and flags.FLAGS[name].boolean
            is_value = not equals and not is_switch
        elif is_value:
            is_value = False
        else:
            return argument
    return None


def plain(text: str) -> str:
    """Replaces Python's words for a text that is no number.

    Examples:
      >>> plain("--clips=many: invalid literal for int() with base 10: 'many'")
      "--clips=many: 'many' is not a whole number"
    """
    for pattern, words in _NUMBERS:
        text = pattern.sub(words, text)
    return text
