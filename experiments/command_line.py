"""What the entry points share: configurations, and errors in one line."""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from vidjax.training import compile_cache, kept_memory
from vidjax.training.config import ConfigError, check_path
from vidjax.training.meter import NonFiniteError
from vidjax.training.workdir import read_config

Main = Callable[..., int | None]


def run(main: Main, help_text: str | None, arguments: Sequence[str] = ()) -> None:
    """Runs an entry point that computes: programs and freed memory are kept. Else as `answer`."""
    compile_cache.enable()
    kept_memory.keep_freed_memory()
    answer(functools.partial(_to_be_resumed, main), help_text, arguments)


def answer(main: Main, help_text: str | None, arguments: Sequence[str] = ()) -> None:
    """Calls an entry point; an error in what the user gave ends it in one line, exit code 2.

    Args:
      main: the entry point, called when flags are parsed.
      help_text: shown by `--help`, with an example.
      arguments: names of what it takes beside flags, all of it.
    """
    sys.modules["__main__"].__doc__ = help_text
    # Libraries' notes on missing accelerators and default settings would bury the run's lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.set_verbosity(logging.ERROR)
    app.run(lambda given: _guarded(main, given[1:], arguments), flags_parser=_parse)


def _to_be_resumed(main: Main, *given: str) -> int | None:
    try:
        return main(*given)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on with what is left", file=sys.stderr)
        return 130


def _parse(arguments: Sequence[str]) -> list[str]:
    try:
        for name, value in _named(arguments):
            if name == "config" and value and not Path(value.partition(":")[0]).is_file():
                # Said here: the parser would blame the first setting that changes it.
                raise FileNotFoundError(f"--config={value}: there is no such file")
            if name.startswith("config."):
                check_path(name.partition(".")[2])
        return flags.FLAGS(list(arguments))
    # ml_collections answers a bad override with whichever of these its lookup met.
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        sys.exit(_fail(_first_line(error)))
    except flags.Error as error:
        sys.exit(_fail(_last_line(error)))


def _guarded(main: Main, given: Sequence[str], names: Sequence[str]) -> int | None:
    if len(given) > len(names):
        return _fail(f"unexpected argument {given[len(names)]!r}; see --help")
    if len(given) < len(names):
        return _fail(f"{names[len(given)]} is missing; see --help")
    try:
        return main(*given)
    except NonFiniteError as error:
        return _fail(". ".join([str(error), *getattr(error, "__notes__", [])]))
    except ValueError as error:
        return _fail(str(error))
    except OSError as error:
        # Of a configuration file that is not there the last line alone is to the point.
        return _fail(str(error).strip().splitlines()[-1].strip())


def config_file() -> flags.FlagHolder:
    """Defines `--config=FILE[:key=value,...]`, any setting of which `--config.a.b=c` changes."""
    return config_flags.DEFINE_config_file(
        "config",
        None,
        "configuration file, such as configs/demo.py",
        accept_new_attributes=True,
        lock_config=False,
    )


def config_of_workdir() -> flags.FlagHolder:
    """Defines `--config` as the configuration of the run that `--workdir` names."""
    return config_flags.DEFINE_config_dict(
        "config",
        ConfigDict(_of_workdir(sys.argv)),
        "settings of the run, to change for this evaluation",
        accept_new_attributes=True,
        lock_config=False,
    )


def _of_workdir(arguments: Sequence[str]) -> dict[str, object]:
    """Settings must be known before flags are parsed: looks for `--workdir` by itself."""
    for name, value in _named(arguments):
        if name == "workdir":
            try:
                return read_config(Path(value))
            except ConfigError as error:
                sys.exit(_fail(str(error)))
    return {}


def _named(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Flags and their values, given as `--flag=value` or as two arguments."""
    for argument, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        if argument.startswith("-"):
            name, equals, value = argument.lstrip("-").partition("=")
            yield name, value if equals else following


def _fail(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return 2


def _first_line(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return (
            f"the configuration has no group {error} to set a part of; give the whole of it, such "
            "as \"--config.model.options.random_scaling={'target':'input'}\""
        )
    lines = str(error.args[0] if error.args else error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _last_line(error: flags.Error) -> str:
    """What is wrong; a configuration file's own error stands below its traceback."""
    text = str(error).strip().splitlines()[-1]
    return f"{text.removeprefix('ValueError: ')}; see --help"
