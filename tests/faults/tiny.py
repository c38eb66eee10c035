"""The smallest run, as a command in a process of its own, with a fault made on purpose."""

import time

from tests.commands import Process
from tests.run.jobs import SETTINGS

# A long call of a library, in which Python runs no step of its own: as a compilation is.
BUSY = "__import__('hashlib').pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
_RUN = """
import runpy, sys
sys.argv = ["{module}", *{arguments!r}]
runpy.run_module("{module}", run_name="__main__", alter_sys=True)
"""


def settings(workdir, **changes):
    """Flags of `experiments.train`."""
    changed = SETTINGS | {name.replace("__", "."): value for name, value in changes.items()}
    flags = [f"--config.{name}={value}" for name, value in changed.items()]
    return ["--config=configs/synthetic.py", f"--workdir={workdir}", *flags]


def start(program):
    """A process that runs Python code in the project's folder."""
    return Process("-c", program)


def command(name, *arguments, fault=""):
    """`python -m experiments.NAME`, after a fault that is given as code."""
    run = _RUN.format(module=f"experiments.{name}", arguments=list(map(str, arguments)))
    return start(f"{fault}\n{run}")


def wait_for_line(process, text):
    """Returns when the process prints a line."""
    for line in process.stdout:
        if line.strip() == text:
            return
    raise AssertionError(process.stderr.read())


def ending(process, within=300.0):
    """Exit code, what it said last on stderr, and seconds until it ended."""
    began = time.monotonic()
    _, errors = process.communicate(timeout=within)
    errors = errors if isinstance(errors, str) else errors.decode()
    return process.returncode, errors, time.monotonic() - began
