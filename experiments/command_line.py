"""What the entry points share: configurations, and errors in one line."""

from __future__ import annotations

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
from vidjax.terminal import complain
from vidjax.training import compile_cache, malloc_settings
from vidjax.training.meter import NonFiniteError

from . import signal_handling

Main = Callable[..., int | None]
# How the name of an argument ends that may be given several times.
MANY = "..."


def run(
    main: Main,
    help_text: str | None,
    arguments: Sequence[str] = (),
    terminated: int = signal_handling.TERMINATED,
) -> None:
    """Runs an entry point that computes: programs and freed memory are kept. Else as `answer`."""
    malloc_settings.keep_freed_memory()

    def computing(*given: str) -> int | None:
        compile_cache.enable()
        return main(*given)

    answer(computing, help_text, arguments, terminated)


def answer(
    main: Main,
    help_text: str | None,
    arguments: Sequence[str] = (),
    terminated: int = signal_handling.TERMINATED,
) -> None:
    """Calls an entry point, and ends in one line what it cannot do.

    Exit codes: 2 for an error in what the user gave, 74 for one of the machine (a full disk, a
    missing permission, too little memory), 69 where other processes of its job are absent, 130 for
    Ctrl-C.

    Args:
      main: the entry point, called when flags are parsed.
      help_text: shown by `--help`, with an example.
      arguments: names of what it takes beside flags; those in brackets may be left out, and the
        last may end with `MANY`.
      terminated: exit code where SIGTERM ends it.
    """
    sys.modules["__main__"].__doc__ = _with_settings(help_text)
    # Libraries' notes on missing accelerators and default settings would bury the run's lines.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # They log what they raise, too, with tracebacks from each of their threads.
    logging.set_verbosity(logging.FATAL)
    threading.excepthook = _of_thread
    sys.unraisablehook = _of_library

    def guarded(given: Sequence[str]) -> int | None:
        with signal_handling.by_sigterm(terminated):
            return _guarded(main, given[1:], arguments, terminated)

    app.run(guarded, flags_parser=_parse)


def _with_settings(help_text: str | None) -> str | None:
    """A command's help, with every setting where it takes a configuration and help is asked for."""
    if "config" not in flags.FLAGS or not {"--help", "-h", "-help"} & set(sys.argv):
        return help_text
    from .settings_help import settings_help

    try:
        return f"{help_text}\n\n{settings_help(sys.argv)}\n"
    except ValueError as error:
        sys.exit(_fail(str(error)))


def _of_library(told: Any) -> None:
    """Leaves out what TensorStore has to say when one of several files failed, which was raised."""
    if str(told.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(told)


def _of_thread(told: threading.ExceptHookArgs) -> None:
    """What the machine lacks, in one line; what is a mistake of ours, with its traceback."""
    reason = None if told.exc_value is None else of_machine(told.exc_value)
    if reason is None:
        threading.__excepthook__(told)
    else:
        complain(f"error: {reason}")


def _parse(arguments: Sequence[str]) -> list[str]:
    try:
        for name, _ in named(arguments):
            if name.startswith("config."):
                from vidjax.run.config import check_path

                check_path(name.partition(".")[2])
        return flags.FLAGS(located(arguments))
    except (SyntaxError, ImportError) as error:
        # The configuration file is a program, with mistakes of its own.
        where = (
            f" ({error.filename}, line {error.lineno})" if isinstance(error, SyntaxError) else ""
        )
        sys.exit(_fail(f"the configuration file is not valid Python: {error.msg}{where}"))
    # ml_collections answers a bad override with whichever of these its lookup met.
    except (AttributeError, KeyError, TypeError, ValueError, OSError) as error:
        sys.exit(_fail(first_line(error)))
    except flags.Error as error:
        sys.exit(_fail(last_line(error)))


def _guarded(main: Main, given: Sequence[str], names: Sequence[str], terminated: int) -> int | None:
    many = bool(names) and names[-1].strip("[]").endswith(MANY)
    needed = [name for name in names if not name.startswith("[")]
    if len(given) > len(names) and not many:
        return _fail(f"unexpected argument {given[len(names)]!r}; see --help")
    if len(given) < len(needed):
        return _fail(f"{needed[len(given)]} is missing; see --help")
    try:
        return main(*given)
    except KeyboardInterrupt:
        complain("interrupted; run the same command again to go on")
        return signal_handling.INTERRUPTED
    except signal_handling.Terminated:
        signal_handling.tell(terminated)
        return terminated
    except BrokenPipeError:
        # Whoever reads the output has seen enough. Python would complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return signal_handling.CLOSED
    except Exception as error:
        return refused(error)


def refused(error: Exception) -> int:
    """The exit code of an error that is told in one line.

    Raises:
      Exception: it is a mistake of ours.
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
        # Of a configuration file that is not there the last line alone is to the point.
        return _fail(str(error).strip().splitlines()[-1].strip())
    raise error


def located(arguments: Sequence[str]) -> list[str]:
    """The arguments with the file of a configuration in place of its name.

    Raises:
      ValueError: there is no such configuration. Said here: the parser would blame the first
        setting that changes it.
    """
    found, rest = [], iter(arguments)
    for argument in rest:
        flag, equals, value = argument.partition("=")
        if flag in ("--config", "-config"):
            value = value if equals else next(rest, "")
            try:
                name, _ = configs.parted(value)
                argument = f"--config={configs.find(name)}{value[len(name) :]}"
            except ValueError as error:
                raise ValueError(f"--config={error}") from None
        found.append(argument)
    return found


def config_file() -> flags.FlagHolder:
    """Defines `--config=NAME[:key=value,...]`, any setting of which `--config.a.b=c` changes.

    NAME is that of one of the configurations of vidjax, or a file.
    """
    # Commands without a configuration run where there is no ml_collections, too.
    from ml_collections import config_flags

    from . import config_groups

    holder = config_flags.DEFINE_config_file(
        "config",
        None,
        "name of a configuration (see vidjax config), or its file",
        accept_new_attributes=True,
        lock_config=False,
    )
    flag = flags.FLAGS["config"]
    flag.parser = config_groups.Parser(flag.parser, named_settings())
    return holder


def unless_named(flag: str, folder: str) -> str:
    """What to say where nothing is to be written unless a flag names the folder; empty if it does.

    Args:
      flag: its name.
      folder: that the run's configuration names, which may be somebody else's.
    """
    if any(name == flag for name, _ in named(sys.argv)):
        return ""
    return f"--{flag}={folder} prepares it there, another folder elsewhere"


def named_settings() -> Iterator[str]:
    """Paths of the settings that the command line gives, such as `optimizer.lr`."""
    for name, _ in named(sys.argv):
        if name.startswith("config."):
            yield name.partition(".")[2]


def named(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Flags and their values, given as `--flag=value` or as two arguments."""
    for argument, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        if argument.startswith("-"):
            name, equals, value = argument.lstrip("-").partition("=")
            yield name, value if equals else following


def _fail(message: str, code: int = 2) -> int:
    complain(*f"error: {message}".splitlines())
    return code


def first_line(error: BaseException) -> str:
    """What is wrong with a setting, in one line."""
    if isinstance(error, KeyError):
        return (
            f"the configuration has no group {error} to set a part of; give the whole of it, such "
            "as \"--config.model.options.random_scaling={'target':'input'}\""
        )
    lines = str(error.args[0] if error.args else error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def last_line(error: flags.Error) -> str:
    """What is wrong; a configuration file's own error stands below its traceback."""
    text = str(error).strip().splitlines()[-1]
    return f"{text.removeprefix('ValueError: ')}; see --help"
