"""Builds the text of `--help`: what a command does, examples, flags in groups, settings."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator, Sequence

from absl import flags

_WIDTH, _IN = 96, " " * 6
_ASKED = {"--help", "-help", "-h", "-?", "--helpshort"}
# Characters of choices that are shown beside the flag's name; more are listed in a sentence.
_SHORT = 48
# At the beginning of a flag's help: what its value is called, such as `FOLDER: `. Absl writes the
# values of an enum before that.
_CALLED = re.compile(r"(?:<.*?>: )?(?:([A-Z][A-Z_:=,.\[\]]*): )?")
# Groups that several commands have come after a command's own.
_LAST = ("Network", "Several processes", "Hanging")
_groups: dict[str, list[str]] = {}


def group(title: str, *holders: flags.FlagHolder) -> None:
    """Shows flags under a title of their own in `--help`, in this order."""
    _groups.setdefault(title, []).extend(holder.name for holder in holders)


def is_asked(arguments: Sequence[str]) -> bool:
    """Returns whether a command line asks for help."""
    return bool(_ASKED & set(arguments))


def page(about: str | None, positional: Sequence[str], arguments: Sequence[str]) -> str:
    """Returns the whole text.

    Args:
      about: the command's docstring: what it does, with examples.
      positional: names of the arguments that are no flags.
      arguments: the command line, which may name a configuration.

    Raises:
      ValueError: the configuration is unknown, or refuses its arguments.
    """
    parts = [(about or "").strip(), *_usage(positional), *_flag_groups()]
    if "config" in flags.FLAGS:
        from .settings_help import settings_help

        parts.append(settings_help(arguments))
    return "\n\n".join(parts)


def _usage(positional: Sequence[str]) -> Iterator[str]:
    """Yields a line with the positional arguments, for commands that have some."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if positional and spec is not None:
        name = spec.name.removesuffix(".__main__").rpartition(".")[2]
        yield f"Usage:\n  vidjax {name} {' '.join(positional)} [FLAGS]"


def _flag_groups() -> Iterator[str]:
    """Yields the groups of the command's flags, as text."""
    key_flags = flags.FLAGS.get_key_flags_for_module(sys.argv[0])
    known = {flag.name: flag for flag in key_flags if not flag.name.startswith("config")}
    if "config" in flags.FLAGS and not _is_configuration(flags.FLAGS["config"].default):
        known = {"config": flags.FLAGS["config"], **known}
    named = {name for names in _groups.values() for name in names}
    own = [name for name in known if name not in named]
    titles = sorted(_groups, key=lambda title: _LAST.index(title) if title in _LAST else -1)
    for title, names in (("Flags", own), *((title, _groups[title]) for title in titles)):
        shown = [_described(known[name]) for name in dict.fromkeys(names) if name in known]
        if shown:
            yield "\n\n".join([f"{title}:", *shown])


def _is_configuration(value: object) -> bool:
    # Commands without a configuration run where there is no ml_collections, too.
    from ml_collections import ConfigDict

    return isinstance(value, ConfigDict)


def _described(flag: flags.Flag) -> str:
    """Returns a flag with its value, and sentences about it below."""
    found = _CALLED.match(flag.help)
    assert found is not None
    value = found[1] or _value(flag)
    head = f"--[no]{flag.name}" if flag.boolean else f"--{flag.name}={value}"
    # Absl adds to flags that may be repeated.
    text = flag.help[found.end() :].partition(";\n    repeat this option")[0]
    sentences = " ".join([_sentence(text), *_limits(flag)])
    body = textwrap.wrap(sentences, _WIDTH, initial_indent=_IN, subsequent_indent=_IN)
    return "\n".join([f"  {head}", *body])


def _value(flag: flags.Flag) -> str:
    """Returns what the value of a flag is called."""
    choices = "|".join(_choices(flag))
    if choices and len(choices) <= _SHORT:
        return choices
    if isinstance(flag.parser, flags.IntegerParser):
        return "N"
    if isinstance(flag.parser, flags.FloatParser):
        return "NUMBER"
    return "NAME" if choices else "TEXT"


def _choices(flag: flags.Flag) -> list[str]:
    return list(getattr(flag.parser, "enum_values", ()))


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _limits(flag: flags.Flag) -> Iterator[str]:
    """Yields sentences about allowed values and the default."""
    choices = _choices(flag)
    if len("|".join(choices)) > _SHORT:
        yield f"One of {', '.join(choices)}."
    low, high = (getattr(flag.parser, name, None) for name in ("lower_bound", "upper_bound"))
    if low is not None:
        yield f"At least {low:g}." if high is None else f"From {low:g} to {high:g}."
    if isinstance(flag, flags.MultiFlag):
        yield "May be given several times."
    if any("must have a value" in each.message for each in flag.validators):
        yield "Required."
    elif flag.boolean and flag.default:
        yield "On by default."
    elif not flag.boolean and flag.default not in (None, "", []):
        several = isinstance(flag, flags.MultiFlag)
        shown = ", ".join(map(str, flag.default)) if several else flag.default_as_str
        yield f"Default: {shown.strip(chr(39))}."
