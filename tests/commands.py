"""Commands in processes of their own that need not import everything anew.

To import JAX and its friends takes a command several times longer than what these tests ask of
it. So one process does it once and, for each command, forks a copy of itself that runs the
module as `python -m` would.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def run_command(
    module: str, *arguments: object, cwd: Path = ROOT, site: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """What `python -m module arguments` ends with and says, in the project's folder or another.

    `site` is a folder of more installed packages.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        argv = [module, *map(str, arguments)]
        server = _server(site)
        # What has changed since the server began, such as where a test's store listens.
        known = _environments[site]
        changed = {k: v for k, v in os.environ.items() if known.get(k) != v}
        environment = {**changed, **environment}
        order = {"argv": argv, "environment": environment, "out": str(out), "err": str(err)}
        order["cwd"] = str(cwd)
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(order) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(argv, code, out.read_text(), err.read_text())


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line with which a command has refused what it was given."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


# Of this process when each server began.
_environments: dict[str, dict[str, str]] = {}


@functools.cache
def _server(site: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.commands"]
    # On Python 3.11 ml_collections loads configuration files by what 3.12 no longer has.
    known = "ignore:the load_module:DeprecationWarning"
    _environments[site] = dict(os.environ)
    environment = {**os.environ, "PYTHONWARNINGS": f"default,{known}"}
    if site:
        environment["PYTHONPATH"] = os.pathsep.join((site, os.environ.get("PYTHONPATH", "")))
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, **pipes
    )
    atexit.register(server.kill)
    return server


def _serve() -> None:
    """Reads an order a line, and answers each with the exit status."""
    import matplotlib.figure  # noqa: F401

    import vidjax.trained.clip_explanation
    import vidjax.trained.open_weights
    import vidjax.training.loop  # noqa: F401
    from vidjax.models.model_list import variants

    variants()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if not child:
            os._exit(_obey(order))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _obey(order: dict[str, Any]) -> int:
    for stream, name in ((1, "out"), (2, "err")):
        file = os.open(order[name], os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(order["environment"])
    os.chdir(order["cwd"])
    sys.argv = list(order["argv"])
    code: Any = 0
    try:
        runpy.run_module(order["argv"][0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    _serve()
