"""Generates the reference pages of functions, settings and commands.

Two more pages are copied from the repository: the examples of CONTRIBUTING.md, and CHANGELOG.md.

Example:
  python .ci/reference.py docs/reference

mkdocstrings inserts the docstrings of functions while the site is built. Flags are read from each
command's `--helpxml`, in a separate process per command.
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

# Commands with flags that depend on their first argument.
WITH_PARTS = ("benchmark",)
# Sections of the Python page: packages that list their public names in `__all__`.
PACKAGES = (
    ("vidjax", "Networks, weights, runs and data."),
    ("vidjax.explain", "Maps, tubes and pyramids."),
    ("vidjax.evaluation", "Probes, tests and counts."),
    ("vidjax.models", "For modules that add a network."),
    ("vidjax.slots", "For modules that add a method."),
)
MORE = (
    ("vidjax.trained.trained_network.Trained", "What `open_run` and `load_pretrained` return."),
    ("vidjax.plugins.register", "Adds your own module beside those of vidjax."),
)

# Start of a flag's description: the values of an enum, and the name of its value.
VALUE_NAME = re.compile(r"(?:<.*?>: )?(?:([A-Z][A-Z_:=,.\[\]]*): )?")
# Names of values that the description does not name.
VALUES = {"int": "N", "float": "NUMBER"}


def python_page() -> Iterator[str]:
    """Yields the page of all public names by package."""
    yield "# Python\n"
    yield "Here you can look up every public name. Shapes are `[B, T, H, W, C]`, channels last.\n"
    for package, about in PACKAGES:
        yield f"## {package}\n\n{about}\n"
        module = importlib.import_module(package)
        for name in sorted(module.__all__, key=str.lower):
            yield directive(f"{package}.{name}", getattr(module, name))
    yield "## More\n"
    for path, about in MORE:
        home, _, name = path.rpartition(".")
        yield f"{about}\n\n{directive(path, getattr(importlib.import_module(home), name))}"


def directive(public: str, thing: Any) -> str:
    """Returns the directive that mkdocstrings replaces by an object's docstring."""
    home = getattr(thing, "__module__", None) or ""
    ours = home.startswith("vidjax") and hasattr(thing, "__qualname__")
    path = f"{home}.{thing.__qualname__}" if ours else public
    return f"::: {path}\n    options:\n      heading: {public}\n"


def settings_page() -> Iterator[str]:
    """Yields the page of all settings, with defaults and ranges, and of all configurations."""
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
    """Yields the page of all commands with their help and flags."""
    yield "# Commands\n"
    yield (
        "Here you can look up every command and its flags, as `vidjax COMMAND --help` prints "
        "them. The settings have [a page of their own](settings.md).\n"
    )
    for name in commands():
        for part in parts(name):
            yield from command(f"vidjax {name} {part}".rstrip(), f"experiments.{name}", part)


def parts(name: str) -> tuple[str, ...]:
    """Returns the values of a command's first argument that have their own flags.

    The source is parsed, because importing a command would define its flags in all later forks.
    """
    if name not in WITH_PARTS:
        return ("",)
    tree = ast.parse((ROOT / "experiments" / name / "__main__.py").read_text("utf-8"))
    (found,) = (
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "PARTS"
    )
    return ast.literal_eval(found)


def command(title: str, module: str, part: str) -> Iterator[str]:
    """Yields a command's section: its help and a table of its flags."""
    told = help_xml([module, *filter(None, [part]), "--helpxml"])
    yield f"\n## {title}\n"
    yield from about(told.findtext("usage") or "")
    found = [flag for flag in told.iter("flag") if flag.findtext("key") == "yes"]
    if found:
        yield "| flag | default | meaning |\n|---|---|---|"
    for flag in sorted(found, key=lambda each: each.findtext("name") or ""):
        yield flag_row(flag)


def about(usage: str) -> Iterator[str]:
    """Formats a command's help: prose as text, examples and lists as code blocks."""
    for paragraph in usage.strip().split("\n\n"):
        first, _, rest = paragraph.partition("\n")
        if first in ("Example:", "Examples:"):
            yield f"```\n{textwrap.dedent(rest)}\n```\n"
        elif any(line.startswith("  ") for line in paragraph.splitlines()):
            yield f"```text\n{paragraph}\n```\n"
        else:
            yield f"{paragraph}\n"


def flag_row(flag: ET.Element) -> str:
    """Returns a table row with a flag, its value's name, its default and its description."""
    meaning = " ".join((flag.findtext("meaning") or "").split())
    found = VALUE_NAME.match(meaning)
    choices = "|".join(each.text or "" for each in flag.iter("enum_value"))
    value = (found and found[1]) or choices or VALUES.get(flag.findtext("type") or "", "TEXT")
    text, repeated, _ = meaning[found.end() if found else 0 :].partition("; repeat this option")
    name, default = flag.findtext("name"), flag.findtext("default") or ""
    if default.startswith("["):
        default = " ".join(ast.literal_eval(default))
    if "\n" in default:  # a whole configuration, which has its own page
        default = ""
    shown = f"`--[no]{name}`" if flag.findtext("type") == "bool" else f"`--{name}={value}`"
    return row(
        shown,
        f"`{default}`" if default else "",
        f"{sentence(text)}{' May be given several times.' if repeated else ''}",
    )


def help_xml(argv: list[str]) -> ET.Element:
    """Runs a command with `--helpxml` and parses its output.

    Raises:
      SystemExit: the command printed something else.
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


def contributing_page() -> Iterator[str]:
    """Yields the part of CONTRIBUTING.md about extending vidjax."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    yield text[text.index("# How to extend") :]


def changelog_page() -> Iterator[str]:
    """Yields CHANGELOG.md with links to docs relative to the site."""
    yield (ROOT / "CHANGELOG.md").read_text("utf-8").replace("](docs/", "](../")


def row(*cells: str) -> str:
    """Returns a row of a Markdown table; bars are escaped except in code, where it would show."""
    lines = (" ".join(cell.split()) for cell in cells)
    return f"| {' | '.join(re.sub(r'(`[^`]*`)|[|]', _escaped, line) for line in lines)} |"


def _escaped(found: re.Match[str]) -> str:
    return found[1] or r"\|"


def sentence(text: str) -> str:
    """Returns a text with a capital at its start and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def main(folder: str) -> None:
    """Writes the pages into a folder."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    # Import these once, before commands are forked.
    for heavy in ("vidjax.training.loop", "vidjax.trained.clip_explanation", "matplotlib.figure"):
        importlib.import_module(heavy)
    for name, page in (
        ("commands", commands_page()),
        ("settings", settings_page()),
        ("python", python_page()),
        ("adding", contributing_page()),
        ("changelog", changelog_page()),
    ):
        (place / f"{name}.md").write_text("\n".join(page) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
