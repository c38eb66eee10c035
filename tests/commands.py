"""Runs commands in separate processes without importing all libraries each time.

Importing JAX and the other libraries takes several times longer than the tested work. So one server
process imports them once. For each command it forks a copy of itself, which runs a module like
`python -m`, or code like `python -c`.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).parents[1]
# Libraries that commands import, some of them lazily.
IMPORTED = (
    "matplotlib.figure",
    "tensorboardX",
    "tensorflow",
    "vidjax.data.builders.prepared_videos",
    "vidjax.trained.clip_explanation",
    "vidjax.trained.open_weights",
    "vidjax.training.loop",
)


def run_command(
    module: str, *arguments: object, cwd: Path = ROOT, site: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m module arguments`, by default in the project's folder.

    `site` is a folder with more installed packages.
    """
    return _run_python(["-m", module, *arguments], cwd, site, environment)


def run_code(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs `python -c code arguments` in the project's folder."""
    return _run_python(["-c", code, *arguments], ROOT, "", {})


def _run_python(
    arguments: Sequence[object], cwd: Path, site: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        argv = list(map(str, arguments))
        streams = {name: str(Path(folder) / name) for name in ("out", "err")}
        known = _environment(site) | environment
        code = _ask(site, argv=argv, environment=known, cwd=str(cwd), wait=True, **streams)
        out, err = (Path(file).read_text() for file in streams.values())
        return subprocess.CompletedProcess(argv[1:], code, out, err)


class Process:
    """Starts `python arguments` in the project's folder without waiting for its end.

    It has the methods of `subprocess.Popen` that tests use.

    Args:
      arguments: arguments of Python: `-m` and a module, or `-c` and code, then further arguments.
      environment: the complete environment; None is that of this process.
      text: whether its output is returned as text instead of bytes.
    """

    def __init__(
        self,
        *arguments: object,
        environment: dict[str, str] | None = None,
        text: bool = True,
    ) -> None:
        self.returncode: int | None = None
        self._readers: list[threading.Thread] = []
        self._read: dict[str, Any] = {}
        with tempfile.TemporaryDirectory() as folder:
            streams = {name: str(Path(folder) / name) for name in ("out", "err")}
            for file in streams.values():
                os.mkfifo(file)
            self.pid = _ask(
                argv=list(map(str, arguments)),
                environment=dict(os.environ) if environment is None else environment,
                cwd=str(ROOT),
                wait=False,
                **streams,
            )
            # Opening a pipe waits until the process has opened the other end.
            self.stdout, self.stderr = (
                os.fdopen(os.open(file, os.O_RDONLY), "r" if text else "rb")
                for file in streams.values()
            )

    def poll(self) -> int | None:
        """Returns the exit code; None while the process runs."""
        if self.returncode is None:
            self.returncode = _ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float = 600) -> int:
        """Waits for the end of the process and returns its exit code."""
        deadline = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("process", timeout)
            time.sleep(0.01)
        return code

    def communicate(self, timeout: float = 600) -> tuple[Any, Any]:
        """Waits for the end of the process and returns its remaining output."""
        deadline = time.monotonic() + timeout
        if not self._readers:
            for stream in (self.stdout, self.stderr):
                reader = threading.Thread(target=self._read_all, args=[stream], daemon=True)
                reader.start()
                self._readers.append(reader)
        for reader in self._readers:
            reader.join(max(0, deadline - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired("process", timeout)
        self.wait(max(0, deadline - time.monotonic()))
        return self._read[self.stdout.name], self._read[self.stderr.name]

    def _read_all(self, stream: IO[Any]) -> None:
        with stream:
            self._read[stream.name] = stream.read()

    def send_signal(self, number: int) -> None:
        """Sends a signal to the process if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kills the process."""
        self.send_signal(signal.SIGKILL)


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Returns the single line of the error with which a command has refused its arguments."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def _ask(site: str = "", **order: Any) -> Any:
    """Sends an order to the server and returns its answer."""
    server = _server(site)
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps(order) + "\n")
    server.stdin.flush()
    return json.loads(server.stdout.readline())


def _environment(site: str) -> dict[str, str]:
    """Returns the environment of commands, in which warnings are shown."""
    # On Python 3.11 ml_collections loads configuration files with a module that 3.12 has removed.
    known = "ignore:the load_module:DeprecationWarning"
    environment = {**os.environ, "PYTHONWARNINGS": f"default,{known}"}
    if site:
        environment["PYTHONPATH"] = os.pathsep.join((site, os.environ.get("PYTHONPATH", "")))
    return environment


@functools.cache
def _server(site: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.commands"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = subprocess.Popen(
        command, cwd=ROOT, env=_environment(site), stderr=subprocess.DEVNULL, **pipes
    )
    atexit.register(server.kill)
    return server


def _serve() -> None:
    """Reads one order per line, and answers each with an exit code or a process id."""
    for name in IMPORTED:
        importlib.import_module(name)
    importlib.import_module("vidjax.models.model_list").variants()
    for line in sys.stdin:
        order = json.loads(line)
        if "ended" in order:
            answer = _ended(order["ended"], os.WNOHANG)
        else:
            answer = os.fork()
            if not answer:
                _obey(order)
            if order["wait"]:
                answer = _ended(answer)
        print(json.dumps(answer), flush=True)


def _ended(pid: int, options: int = 0) -> int | None:
    found, status = os.waitpid(pid, options)
    return os.waitstatus_to_exitcode(status) if found else None


def _obey(order: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(order[name], os.O_WRONLY | os.O_CREAT, 0o600), stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.chdir(order["cwd"])
        _take(order["environment"])
        code = _run(order["argv"])
        # As at the normal end of a process.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _take(environment: dict[str, str]) -> None:
    """Applies an environment, including the values that libraries read from it on import."""
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    if "PYTHONWARNINGS" not in environment:
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", category)
        warnings.simplefilter("ignore", ResourceWarning)
    import jax

    for name, text in environment.items():
        known = jax.config.values.get(name.lower())
        if name.lower() in jax.config.values:
            value = text.lower() in ("1", "true") if isinstance(known, bool) else text
            jax.config.update(name.lower(), int(text) if type(known) is int else value)


def _run(argv: list[str]) -> int:
    """Runs what a Python command line names and returns the exit code."""
    option, what, *more = argv
    code: Any = 0
    try:
        if option == "-m":
            sys.argv = [what, *more]
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            sys.argv = [option, *more]
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(what, "<string>", "exec"), vars(main))
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    _serve()
