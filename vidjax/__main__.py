"""The command line: `vidjax COMMAND`."""

from __future__ import annotations

import ast
import runpy
import sys
from pathlib import Path

from vidjax import experiments, plugins
from vidjax.startup import guard
from vidjax.terminal import complain, say
from vidjax.untrusted_names import nearest

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
    try:
        module = _module(name)
    except plugins.PluginError as error:
        complain(f"error: vidjax {name}: {error}")
        return 2
    if not module:
        complain(f"error: vidjax {name} is unknown; {nearest(name, commands())}")
        return 2
    guard()
    # The command sees itself as the program, as `python -m` would run it.
    del sys.argv[1]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def commands() -> dict[str, str]:
    """Describes each command in one line, by name; includes commands of other packages."""
    found = {}
    for name in plugins.names(experiments):
        try:
            tree = _tree(name)
        except plugins.PluginError as error:
            plugins.warn_once(str(error))
            continue
        if _is_command(tree):
            found[name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def _module(name: str) -> str:
    """Returns the full name of a command's module; empty if there is none."""
    known = name in plugins.names(experiments) and _is_command(_tree(name))
    return plugins.full_name(experiments, name, "command") if known else ""


def _tree(name: str) -> ast.Module:
    """Parses the program of a command; for a package, its `__main__`.

    Raises:
      PluginError: another package's file does not exist, or is not Python.
    """
    path = plugins.file_of(experiments, name, "command")
    if path.name == "__init__.py":
        path = path.with_name("__main__.py")
    return _parsed(path) if path.is_file() else ast.Module([], [])


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise plugins.PluginError(f"{path} cannot be read as Python: {error}") from None


def _is_command(tree: ast.Module) -> bool:
    """Returns whether a file ends with `if __name__ == "__main__"`, which only commands do."""
    return any(
        isinstance(statement, ast.If) and ast.unparse(statement.test).startswith("__name__ ==")
        for statement in tree.body
    )


if __name__ == "__main__":
    sys.exit(main())
