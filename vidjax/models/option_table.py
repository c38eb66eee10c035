"""Lists all options of a network, as data and as a readable table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vidjax.models.model_list import variant
from vidjax.models.registry import methods_of
from vidjax.settings import Setting, shown
from vidjax.untrusted_names import nearest

# Widths of the columns, in characters.
_NAME, _DEFAULT, _TEXT = 20, 18, 58


@dataclass(frozen=True)
class Options(Mapping[str, Setting]):
    """Options of a network by name, its own before those of methods; prints as a table.

    Attributes:
      network: name of the network.
      own: the network's own options.
      methods: options of methods; the settings of each are in its `settings`.
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
        """Returns one of the options as a table.

        Raises:
          ValueError: the option does not exist.
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
                head = f"{title:<{_NAME}} {'default':<{_DEFAULT}} meaning (allowed values)"
                tables.append("\n".join([head, *_lines(settings)]))
        return "\n\n".join(tables)

    __repr__ = __str__


def options(name: str) -> Options:
    """Lists all options that `create_model` takes for a network.

    Args:
      name: one of `list_models()`.

    Returns:
      A mapping from option names to settings. Each has `default`, `allowed`, `meaning` and, if its
      value may be a mapping, `settings`. It prints as a table.

    Raises:
      ValueError: the name is unknown.

    Examples:
      >>> import vidjax
      >>> options = vidjax.options("r3d_18")
      >>> options["dropout"].default
      0.0
      >>> sorted(options["class_reg"].settings)
      [...'affection', ...]
    """
    network = variant(name)
    methods = {
        key: Setting(network.defaults.get(key), option.allowed, option.meaning, option.settings)
        for key, option in methods_of(network).items()
    }
    return Options(name, network.described(), methods)


def _lines(settings: Mapping[str, Setting], indent: str = "") -> Iterator[str]:
    """Yields table rows of name, default, meaning and allowed values; nested settings follow."""
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
