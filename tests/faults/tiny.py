"""Runs the smallest training as a command in a separate process, with deliberate faults."""

import time

from tests.commands import Process
from tests.run.jobs import SETTINGS

# A long library call in which Python handles no signals, like a compilation.
BUSY = "__import__('hashlib').pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
_RUN = """
import runpy, sys
sys.argv = ["{module}", *{arguments!r}]
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
"""


def settings(workdir, **changes):
    """Returns the flags of `experiments.train`."""
    changed = SETTINGS | {name.replace("__", "."): value for name, value in changes.items()}
    flags = [f"--config.{name}={value}" for name, value in changed.items()]
    return ["--config=configs/synthetic.py", f"--workdir={workdir}", *flags]


def start(program):
    """Starts a process that runs Python code in the project's folder."""
    return Process("-c", program)


def command(name, *arguments, fault=""):
    """Runs `python -m experiments.NAME` after code that makes a fault."""
    run = _RUN.format(module=f"experiments.{name}", arguments=list(map(str, arguments)))
    return start(f"{fault}\n{run}")


def wait_for_line(process, text):
    """Returns when the process prints a line."""
    for line in process.stdout:
        if line.strip() == text:
            return
    raise AssertionError(process.stderr.read())


def ending(process, within=300.0):
    """Waits for the end; returns exit code, last line on stderr, and seconds."""
    began = time.monotonic()
    _, errors = process.communicate(timeout=within)
    errors = errors if isinstance(errors, str) else errors.decode()
    return process.returncode, errors, time.monotonic() - began
