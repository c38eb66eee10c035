"""All options of a network as data, and as a table to read."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vidjax.models.model_list import variant
from vidjax.models.registry import methods_of
from vidjax.settings import Setting, shown
from vidjax.untrusted_names import nearest

# Characters of the columns.
_NAME, _DEFAULT, _TEXT = 20, 18, 58


@dataclass(frozen=True)
class Options(Mapping[str, Setting]):
    """Options of a network by name, its own before those of methods; as text, a table.

    Attributes:
      network: its name.
      own: the network's own.
      methods: those of methods, whose settings stand in each one's `settings`.
    """

    network: str
    own: Mapping[str, Setting]
    methods: Mapping[str, Setting]

    def __getitem__(self, name: str) -> Setting:
        return self.own[name] if name in self.own else self.methods[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from self.methods

    def __len__(self) -> int:
        return len(self.own) + len(self.methods)

    def only(self, name: str) -> Options:
        """One of them by itself.

        Raises:
          ValueError: there is no such option.
        """
        if name not in self:
            raise ValueError(f"{self.network} has no option {name!r}: {nearest(name, self)}")
        own, methods = (
            {key: setting for key, setting in part.items() if key == name}
            for part in (self.own, self.methods)
        )
        return Options(self.network, own, methods)

    def __str__(self) -> str:
        tables = []
        for title, settings in ((self.network, self.own), ("methods", self.methods)):
            if settings:
                head = f"{title:<{_NAME}} {'default':<{_DEFAULT}} meaning (what it may be)"
                tables.append("\n".join([head, *_lines(settings)]))
        return "\n\n".join(tables)

    __repr__ = __str__


def options(name: str) -> Options:
    """All options that `create_model` takes for a network.

    Args:
      name: one of `list_models()`.

    Returns:
      A mapping from names to settings, each with `default`, `allowed`, `meaning` and, for what may
      be a mapping, `settings`. It prints as a table.

    Raises:
      ValueError: the name is unknown.
    """
    network = variant(name)
    methods = {
        key: Setting(network.defaults.get(key), option.allowed, option.meaning, option.settings)
        for key, option in methods_of(network).items()
    }
    return Options(name, network.described(), methods)


def _lines(settings: Mapping[str, Setting], indent: str = "") -> Iterator[str]:
    """Rows of name, default, and what it means and may be; settings of mappings below it."""
    for name, setting in settings.items():
        default = "-" if setting.default is ... else shown(setting.default)
        head = f"{indent}{name:<{_NAME - len(indent)}} {default:<{_DEFAULT}} "
        if len(head) > _NAME + _DEFAULT + 2:
            yield head.rstrip()
            head = ""
        for text in textwrap.wrap(f"{setting.meaning} ({setting.allowed})", _TEXT):
            yield f"{head:<{_NAME + _DEFAULT + 2}}{text}"
            head = ""
        yield from _lines(setting.settings, f"{indent}  ")
