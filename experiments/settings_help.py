"""The settings in the text of `--help`: values, allowed values and meanings."""

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
    """Lists the settings with the values of the configuration on the command line, or the defaults.

    Raises:
      ValueError: the configuration is unknown, or refuses its arguments.
    """
    named = [text.partition("=")[2] for text in arguments if text.startswith("--config=")]
    values = configured(named[-1]) if named else None
    whose = (
        f"those of --config={named[-1]}"
        if named
        else "the defaults; add --config=NAME to see others"
    )
    lines = [
        "Settings:",
        "",
        "  --config.NAME=VALUE changes a setting.",
        f"  The values below are {whose}.",
    ]
    for setting in settings(values):
        lines += ["", f"  --config.{setting.path}={written(setting.default)}"]
        for text in filter(None, (setting.meaning, setting.allowed)):
            sentence = f"{text[0].upper()}{text[1:].rstrip('.')}."
            lines += textwrap.wrap(sentence, _WIDTH, initial_indent=_IN, subsequent_indent=_IN)
    return "\n".join(lines)


def configured(text: str) -> dict[str, Any]:
    """Loads and checks the configuration `NAME[:key=value,...]`; returns all its settings.

    Raises:
      ValueError: the configuration is unknown, or refuses its arguments.
    """
    name, argument = configs.split_argument(text)
    return to_mapping(from_mapping(configs.load(name)(argument or None)))


def written(value: Any) -> str:
    """Quotes a value for a shell's command line."""
    text = str(value)
    # Easier to read than how `shlex` quotes apostrophes.
    return f'"{text}"' if "'" in text and not set(text) & set('"$`\\!') else shlex.quote(text)
