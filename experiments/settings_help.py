"""What `--help` says of the settings: their values, what they may be, and what they mean."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Sequence
from typing import Any

from vidjax import configs
from vidjax.run.config import from_mapping, to_mapping
from vidjax.run.setting_list import settings

_WIDTH, _IN = 96, " " * 6


def settings_help(arguments: Sequence[str]) -> str:
    """The settings with the values of the configuration that a command line names, or defaults.

    Raises:
      ValueError: the configuration is unknown, or refuses its arguments.
    """
    named = [text.partition("=")[2] for text in arguments if text.startswith("--config=")]
    values = configured(named[-1]) if named else None
    whose = (
        f"of --config={named[-1]}" if named else "the defaults; --config=NAME --help shows others"
    )
    lines = [f"Settings: --config.NAME=VALUE changes one. Here are {whose}."]
    for setting in settings(values):
        lines += ["", f"  --config.{setting.path}={written(setting.default)}"]
        for text in filter(None, (setting.meaning, setting.allowed)):
            sentence = f"{text[0].upper()}{text[1:].rstrip('.')}."
            lines += textwrap.wrap(sentence, _WIDTH, initial_indent=_IN, subsequent_indent=_IN)
    return "\n".join(lines)


def configured(text: str) -> dict[str, Any]:
    """The whole configuration that `NAME[:key=value,...]` stands for, checked.

    Raises:
      ValueError: the configuration is unknown, or refuses its arguments.
    """
    name, argument = configs.parted(text)
    return to_mapping(from_mapping(configs.load(name)(argument or None)))


def written(value: Any) -> str:
    """A value as a shell takes it on a command line."""
    text = str(value)
    # Easier to read than what `shlex` makes of apostrophes.
    return f'"{text}"' if "'" in text and not set(text) & set('"$`\\!') else shlex.quote(text)
