"""Writes the pages of the reference from what they describe: functions, settings, commands.

Two more come from files of the repository: the examples of CONTRIBUTING.md, and CHANGELOG.md.

Example:
  python .ci/reference.py docs/reference

Functions are left to mkdocstrings, which reads their docstrings while the site is built. Flags are
those that a command itself lists (`--helpxml`), each in a process of its own.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
import runpy
import sys
import tempfile
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from experiments.settings_help import written  # noqa: E402
from vidjax import configs  # noqa: E402
from vidjax.__main__ import commands  # noqa: E402
from vidjax.run.setting_list import settings  # noqa: E402

# What the first argument of a command chooses from, where flags depend on it.
PARTED = ("benchmark",)
# Public names, page section by page section: a package's own list.
PACKAGES = (
    ("vidjax", "Networks, weights, runs and data."),
    ("vidjax.explain", "Maps, tubes and pyramids."),
    ("vidjax.evaluation", "Probes, tests and counts."),
    ("vidjax.models", "For modules that add a network."),
    ("vidjax.slots", "For modules that add a method."),
)
MORE = (
    ("vidjax.trained.trained_network.Trained", "What `open_run` and `load_pretrained` return."),
    ("vidjax.plugins.register", "Adds a module of yours to those of vidjax."),
)

# At the beginning of a flag's meaning: the values of an enum, and what a value is called.
CALLED = re.compile(r"(?:<.*?>: )?(?:([A-Z][A-Z_:=,.\[\]]*): )?")
# What values are called that their meaning does not name.
VALUES = {"int": "N", "float": "NUMBER"}


def python_page() -> Iterator[str]:
    """Every public name, by package; mkdocstrings puts the docstrings in."""
    yield "# Python\n"
    yield "Here you can look up every public name. Shapes are `[B, T, H, W, C]`, channels last.\n"
    for package, about in PACKAGES:
        yield f"## {package}\n\n{about}\n"
        module = importlib.import_module(package)
        for name in sorted(module.__all__, key=str.lower):
            yield described(f"{package}.{name}", getattr(module, name))
    yield "## More\n"
    for path, about in MORE:
        home, _, name = path.rpartition(".")
        yield f"{about}\n\n{described(path, getattr(importlib.import_module(home), name))}"


def described(public: str, thing: Any) -> str:
    """What mkdocstrings replaces by the docstring of a thing, under the name that people use."""
    home = getattr(thing, "__module__", None) or ""
    ours = home.startswith("vidjax") and hasattr(thing, "__qualname__")
    path = f"{home}.{thing.__qualname__}" if ours else public
    return f"::: {path}\n    options:\n      heading: {public}\n"


def settings_page() -> Iterator[str]:
    """Every setting of a configuration with default, range and meaning, and all configurations."""
    yield "# Settings\n"
    yield (
        "Here you can look up every setting. Change one with `--config.NAME=VALUE`, in `vidjax "
        "train`, `vidjax evaluate` and other commands. The defaults are those of "
        "`vidjax/run/defaults.py`; a configuration changes some of them.\n"
    )
    group = None
    for setting in settings():
        head, _, _ = setting.path.rpartition(".")
        if head != group:
            group = head
            yield f"\n## {head or 'The run'}\n"
            yield "| setting | default | allowed values | meaning |\n|---|---|---|---|"
        cells = (f"`{setting.path}`", f"`{written(setting.default)}`", setting.allowed)
        yield row(*cells, sentence(setting.meaning))
    yield "\n## Configurations\n\n| name | what it trains |\n|---|---|"
    for name in configs.names():
        tree = ast.parse(configs.find(name).read_text("utf-8"))
        yield row(f"`{name}`", (ast.get_docstring(tree) or "").partition("\n")[0])


def commands_page() -> Iterator[str]:
    """Every command: its own help and its flags."""
    yield "# Commands\n"
    yield (
        "Here you can look up every command and its flags, as `vidjax COMMAND --help` prints "
        "them. The settings have [a page of their own](settings.md).\n"
    )
    for name in commands():
        for part in parts(name):
            yield from command(f"vidjax {name} {part}".rstrip(), f"experiments.{name}", part)


def parts(name: str) -> tuple[str, ...]:
    """What a command's first argument may be; empty where flags are the same for all.

    Read, not imported: to import a command defines its flags, for all that are forked later.
    """
    if name not in PARTED:
        return ("",)
    tree = ast.parse((ROOT / "experiments" / name / "__main__.py").read_text("utf-8"))
    (found,) = (
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "PARTS"
    )
    return ast.literal_eval(found)


def command(title: str, module: str, part: str) -> Iterator[str]:
    """A section: help as the command prints it, and a table of its flags."""
    told = helped([module, *filter(None, [part]), "--helpxml"])
    yield f"\n## {title}\n"
    yield from about(told.findtext("usage") or "")
    found = [flag for flag in told.iter("flag") if flag.findtext("key") == "yes"]
    if found:
        yield "| flag | default | meaning |\n|---|---|---|"
    for flag in sorted(found, key=lambda each: each.findtext("name") or ""):
        yield flag_row(flag)


def about(usage: str) -> Iterator[str]:
    """What a command says about itself: prose as prose, examples and lists as they are typed."""
    for paragraph in usage.strip().split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        if first in ("Example:", "Examples:"):
            yield f"```\n{textwrap.dedent(rest)}\n```\n"
        elif any(line.startswith("  ") for line in paragraph.splitlines()):
            yield f"```text\n{paragraph}\n```\n"
        else:
            yield f"{paragraph}\n"


def flag_row(flag: ET.Element) -> str:
    """A flag with what its value is called, its default, and a sentence about it."""
    meaning = " ".join((flag.findtext("meaning") or "").split())
    found = CALLED.match(meaning)
    choices = "|".join(each.text or "" for each in flag.iter("enum_value"))
    value = (found and found[1]) or choices or VALUES.get(flag.findtext("type") or "", "TEXT")
    text, repeated, _ = meaning[found.end() if found else 0 :].partition("; repeat this option")
    name, default = flag.findtext("name"), flag.findtext("default") or ""
    if default.startswith("["):
        default = " ".join(ast.literal_eval(default))
    if "\n" in default:  # a whole configuration, which has a page of its own
        default = ""
    shown = f"`--[no]{name}`" if flag.findtext("type") == "bool" else f"`--{name}={value}`"
    return row(
        shown,
        f"`{default}`" if default else "",
        f"{sentence(text)}{' May be given several times.' if repeated else ''}",
    )


def helped(argv: list[str]) -> ET.Element:
    """What a command says to `--helpxml`.

    Raises:
      SystemExit: it says something else.
    """
    with tempfile.TemporaryFile() as out:
        child = os.fork()
        if not child:
            os._exit(_run(out.fileno(), argv))
        os.waitpid(child, 0)
        out.seek(0)
        text = out.read().decode()
    if "<?xml" not in text:
        sys.exit(f"error: {' '.join(argv)} lists no flags:\n{text}")
    return ET.fromstring(text[text.index("<?xml") :])


def _run(out: int, argv: list[str]) -> int:
    os.dup2(out, 1)
    os.dup2(out, 2)
    sys.argv = argv
    try:
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
    except SystemExit:
        pass
    finally:
        sys.stdout.flush()
    return 0


def adding_page() -> Iterator[str]:
    """The part of CONTRIBUTING.md that shows how to extend vidjax."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    yield text[text.index("# How to extend") :]


def changelog_page() -> Iterator[str]:
    """CHANGELOG.md, with its links to docs as the site needs them."""
    yield (ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "](../")


def row(*cells: str) -> str:
    """A line of a table in Markdown; bars are escaped, except in code, where that would show."""
    lines = (" ".join(cell.split()) for cell in cells)
    return f"| {' | '.join(re.sub(r'(`[^`]*`)|[|]', _escaped, line) for line in lines)} |"


def _escaped(found: re.Match[str]) -> str:
    return found[1] or r"\|"


def sentence(text: str) -> str:
    """Text that begins with a capital and ends with a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def main(folder: str) -> None:
    """Writes the pages into a folder."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    # Imported once, before the commands are forked from here.
    for heavy in ("vidjax.training.loop", "vidjax.trained.clip_explanation", "matplotlib.figure"):
        importlib.import_module(heavy)
    for name, page in (
        ("commands", commands_page()),
        ("settings", settings_page()),
        ("python", python_page()),
        ("adding", adding_page()),
        ("changelog", changelog_page()),
    ):
        (place / f"{name}.md").write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
