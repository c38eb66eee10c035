"""Runs the commands: parses flags, finds configurations, prints errors in one line."""

from __future__ import annotations

import functools
import itertools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import app, flags, logging

from vidjax import configs
from vidjax.run import machine_errors, process_messages
from vidjax.run.machine_errors import of_machine
from vidjax.run.process_messages import AbsentError
from vidjax.terminal import complain, say
from vidjax.training import compile_cache, malloc_settings
from vidjax.training.meter import NonFiniteError

from . import flag_errors, help_text, signal_handling

Main = Callable[..., int | None]
# Ends the name of an argument that may be given several times.
MANY = "..."
# New names of flags, by the old ones.
_renamed: dict[str, str] = {}


def run(
    main: Main,
    about: str | None,
    arguments: Sequence[str] = (),
    terminated: int = signal_handling.TERMINATED,
) -> None:
    """Runs a command that computes; otherwise like `answer`.

    Compiled programs are cached, and freed memory is kept for the next array.
    """
    malloc_settings.keep_freed_memory()

    def computing(*given: str) -> int | None:
        compile_cache.enable()
        return main(*given)

    answer(computing, about, arguments, terminated)


def answer(
    main: Main,
    about: str | None,
    arguments: Sequence[str] = (),
    terminated: int = signal_handling.TERMINATED,
) -> None:
    """Parses the command line and calls a command; prints its errors in one line.

    Exit codes: 2 if the user gave something wrong, 74 if the machine failed (a full disk, a missing
    permission, too little memory), 69 if other processes of the job are absent, 130 after Ctrl-C.

    Args:
      main: the command, called after flags are parsed.
      about: what the command does, with examples; `--help` begins with it.
      arguments: names of its positional arguments; those in brackets are optional, and the last
        one may end with `MANY`.
      terminated: exit code after SIGTERM.
    """
    # For --helpfull, which absl answers.
    sys.modules["__main__"].__doc__ = about
    # Libraries' notes on missing accelerators and default settings would bury the run's lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Libraries also log the errors that they raise, with a traceback from each thread.
    logging.set_verbosity(logging.FATAL)
    threading.excepthook = _of_thread
    sys.unraisablehook = _of_library

    def guarded(given: Sequence[str]) -> int | None:
        with signal_handling.by_sigterm(terminated):
            return _guarded(main, given[1:], arguments, terminated)

    if help_text.is_asked(sys.argv):
        sys.exit(_help(about, arguments))
    app.run(guarded, flags_parser=functools.partial(_parse, positional=bool(arguments)))


def _help(about: str | None, positional: Sequence[str]) -> int:
    """Prints the help of a command; returns the exit code."""
    try:
        say(*help_text.page(about, positional, sys.argv).splitlines())
    except ValueError as error:
        return _fail(str(error))
    except BrokenPipeError:
        return _reader_has_left()
    return 0


def _of_library(told: Any) -> None:
    """Hides a message of TensorStore about a failed file; the error itself was raised already."""
    if str(told.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(told)


def _of_thread(told: threading.ExceptHookArgs) -> None:
    """Prints an error of the machine in one line, and a bug of ours with its traceback."""
    reason = None if told.exc_value is None else of_machine(told.exc_value)
    if reason is None:
        threading.__excepthook__(told)
    else:
        complain(f"error: {reason}")


def _parse(arguments: Sequence[str], positional: bool) -> list[str]:
    """Parses the flags; returns the program and the positional arguments."""
    try:
        for name, _ in named(arguments):
            if name.startswith("config."):
                from vidjax.run.config import check_path

                check_path(name.partition(".")[2])
        return flags.FLAGS(located(_with_new_names(arguments)))
    except (SyntaxError, ImportError) as error:
        # The configuration file is a program and may have bugs.
        where = (
            f" ({error.filename}, line {error.lineno})" if isinstance(error, SyntaxError) else ""
        )
        sys.exit(_fail(f"the configuration file is not valid Python: {error.msg}{where}"))
    # ml_collections raises any of these for a bad override.
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        sys.exit(_fail(first_line(error)))
    except flags.Error as error:
        odd = None if positional else flag_errors.stray(arguments[1:])
        unknown = isinstance(error, flags.UnrecognizedFlagError)
        told = flag_errors.unexpected(odd) if odd and not unknown else flag_errors.described(error)
        sys.exit(_fail(told))


def _guarded(main: Main, given: Sequence[str], names: Sequence[str], terminated: int) -> int | None:
    many = bool(names) and names[-1].strip("[]").endswith(MANY)
    needed = [name for name in names if not name.startswith("[")]
    if len(given) > len(names) and not many:
        return _fail(flag_errors.unexpected(given[len(names)]))
    if len(given) < len(needed):
        return _fail(f"{needed[len(given)]} is missing; see --help")
    try:
        return main(*given)
    except KeyboardInterrupt:
        complain("interrupted; run the same command again to continue")
        return signal_handling.INTERRUPTED
    except signal_handling.Terminated:
        signal_handling.tell(terminated)
        return terminated
    except BrokenPipeError:
        return _reader_has_left()
    except Exception as error:
        return refused(error)


def _reader_has_left() -> int:
    """Ends a command whose output is no longer read, as by `| head`; returns the exit code."""
    # Python would complain when it flushes.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return signal_handling.CLOSED


def refused(error: Exception) -> int:
    """Prints an error in one line and returns the exit code.

    Raises:
      Exception: the error is a bug of ours, which needs its traceback.
    """
    if (reason := of_machine(error)) is not None:
        return _fail(reason, machine_errors.EXIT_CODE)
    if isinstance(error, AbsentError):
        return _fail(str(error), process_messages.EXIT_CODE)
    if isinstance(error, NonFiniteError):
        return _fail(". ".join([str(error), *getattr(error, "__notes__", [])]))
    if isinstance(error, ValueError):
        return _fail(str(error))
    if isinstance(error, OSError):
        return _fail(_of_file(error))
    raise error


def _of_file(error: OSError) -> str:
    """Describes what is wrong with a file, without the number of the error."""
    if error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    # For a missing configuration file only the last line helps.
    return str(error).strip().splitlines()[-1].strip()


def located(arguments: Sequence[str]) -> list[str]:
    """Replaces the name of a configuration by the path of its file.

    Raises:
      ValueError: there is no such configuration. Without this check, the parser would blame the
        first setting that is changed.
    """
    found, rest = [], iter(arguments)
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if flag in ("--config", "-config"):
            value = value if equals else next(rest, "")
            try:
                name, _ = configs.split_argument(value)
                argument = f"--config={configs.find(name)}{value[len(name) :]}"
            except ValueError as error:
                raise ValueError(f"--config={error}") from None
        found.append(argument)
    return found


def config_file() -> flags.FlagHolder:
    """Defines `--config=NAME[:key=value,...]`; `--config.a.b=c` changes a setting of it.

    NAME is one of vidjax's configurations or the path of a file.
    """
    # Commands without a configuration run where there is no ml_collections, too.
    from ml_collections import config_flags

    from . import config_groups

    holder = config_flags.DEFINE_config_file(
        "config",
        None,
        "NAME[:KEY=VALUE,...]: Configuration: one of those that `vidjax config` lists, with its "
        "arguments after a colon, or the path of a Python file.",
        accept_new_attributes=True,
        lock_config=False,
    )
    flag = flags.FLAGS["config"]
    flag.parser = config_groups.Parser(flag.parser, named_settings())
    return holder


def unless_named(flag: str, folder: str) -> str:
    """Tells how to allow writing to a run's folder; empty if the flag already names it.

    A run may belong to someone else, so nothing is written to the folder of its configuration
    unless the command line names that folder.

    Args:
      flag: name of the flag.
      folder: the folder in the run's configuration.
    """
    if any(name == flag for name, _ in named(sys.argv)):
        return ""
    return f"--{flag}={folder} prepares it in that folder; name another folder to use another one"


def renamed(old: str, new: str) -> None:
    """Keeps the old name of a flag working; whoever uses it is told the new one."""
    _renamed[old] = new


def _with_new_names(arguments: Sequence[str]) -> list[str]:
    """Replaces old names of flags and prints the new ones."""
    found = []
    for argument in arguments:
        name, equals, value = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name in _renamed:
            complain(f"--{name} is now called --{_renamed[name]}")
            argument = f"--{_renamed[name]}{equals}{value}"
        found.append(argument)
    return found


def named_settings() -> Iterator[str]:
    """Yields the paths of the settings on the command line, such as `optimizer.lr`."""
    for name, _ in named(sys.argv):
        if name.startswith("config."):
            yield name.partition(".")[2]


def named(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields flags and their values, written as `--flag=value` or as two arguments."""
    for argument, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        if argument.startswith("-"):
            name, equals, value = argument.lstrip("-").partition("=")
            yield name, value if equals else following


def _fail(message: str, code: int = 2) -> int:
    complain(*f"error: {message}".splitlines())
    return code


def first_line(error: BaseException) -> str:
    """Describes what is wrong with a setting, in one line."""
    if isinstance(error, KeyError):
        return (
            f"the configuration has no group {error}, so no part of it can be set; set the whole "
            "group, such as \"--config.model.options.random_scaling={'target':'input'}\""
        )
    lines = str(error.args[0] if error.args else error).strip().splitlines()
    return flag_errors.plain(lines[0]) if lines else type(error).__name__
