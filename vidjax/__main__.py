"""`vidjax COMMAND`: what vidjax does, from the command line."""

from __future__ import annotations

import ast
import pkgutil
import runpy
import sys
from pathlib import Path

from vidjax import experiments
from vidjax.names import nearest
from vidjax.startup import guard
from vidjax.terminal import complain, say

_HEAD = (
    "vidjax: recognising and explaining human actions in video",
    "",
    "  vidjax COMMAND --help  says what a command does, with examples",
    "",
)


def main() -> int:
    """Runs the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help", "help"):
        known = commands()
        width = max(map(len, known))
        say(*_HEAD, *(f"  {command:<{width}}  {text}" for command, text in known.items()))
        return 0
    if name == "--version":
        from vidjax import __version__

        say(__version__)
        return 0
    known = commands()
    if name not in known:
        complain(f"error: vidjax {name}: there is no such command; {nearest(name, known)}")
        return 2
    guard()
    # The command sees itself as the program, as `python -m` would run it.
    del sys.argv[1]
    runpy.run_module(f"{experiments.__name__}.{name}", run_name="__main__", alter_sys=True)
    return 0


def commands() -> dict[str, str]:
    """What each command does, in a line, by name."""
    found = {}
    for module in pkgutil.iter_modules(experiments.__path__):
        path = _source(module)
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
        if any(map(_is_run, tree.body)):
            found[module.name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def _is_run(statement: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__"`, which shared parts of commands do not have."""
    return isinstance(statement, ast.If) and ast.unparse(statement.test).startswith("__name__ ==")


def _source(module: pkgutil.ModuleInfo) -> Path:
    """The file that is run; packages have it in `__main__.py`."""
    folder = Path(module.module_finder.path)  # type: ignore[union-attr]
    return folder / module.name / "__main__.py" if module.ispkg else folder / f"{module.name}.py"


if __name__ == "__main__":
    sys.exit(main())
