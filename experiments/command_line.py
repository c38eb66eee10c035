"""What the entry points share: help with an example, configurations, errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from absl import app, flags, logging

from vidjax.training.config import ConfigError
from vidjax.training.meter import NonFiniteError

Main = Callable[[Sequence[str]], int | None]


def run(main: Main) -> None:
    """Runs an entry point; an error in what the user gave ends it in one line and exit code 2."""

    def guarded(arguments: Sequence[str]) -> int | None:
        logging.set_verbosity(logging.ERROR)
        if len(arguments) > 1:
            return _fail(f"unexpected argument {arguments[1]!r}; see --help")
        try:
            return main(arguments)
        except (ValueError, FileNotFoundError) as error:
            return _fail(str(error))
        except NonFiniteError as error:
            return _fail(". ".join([str(error), *getattr(error, "__notes__", [])]))

    try:
        app.run(guarded, flags_parser=_parse)
    except (ConfigError, AttributeError, KeyError, TypeError) as error:
        sys.exit(_fail(_first_line(error)))


def _parse(arguments: Sequence[str]) -> list[str]:
    """Parses flags; a misspelt `--config.key` is answered with the nearest settings."""
    try:
        return flags.FLAGS(list(arguments), known_only=False)
    except flags.Error as error:
        sys.exit(_fail(f"{error}; see --help"))


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _first_line(error: BaseException) -> str:
    return str(error.args[0] if error.args else error).strip().splitlines()[0]
