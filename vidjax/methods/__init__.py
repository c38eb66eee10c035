"""The methods, one file each: modules that are inserted into networks by options.

A file defines a module (`flax.linen.Module`), a function that inserts it into slots, and a tuple

    OPTIONS = (Option("my_method", fill, "a mapping of settings", "what it does"),)

by which it is found automatically: here, in a package that names it in an entry point of the group
`vidjax.methods`, or registered by `vidjax.plugins.register`. Files without `OPTIONS`, such as
CutMix, are shared helpers. Authors of methods use from `vidjax.slots`

- `Option`: everything that an option declares, including its place in the order of methods;
- `Slots`: the slots of a block and how each calls its module, and `Points` in a branch;
- `Places`: what a network offers; `pop_stages` and `parse_points` read the user's choice of it;
- `option_settings`, `module_factory`, `insert_module`: read settings, check them, and insert the
  module into stages;

from `vidjax.settings` the kinds of values (`number`, `one_of`, ...), and `settings_of` from
`vidjax.docstrings`, which describes a module's settings by its docstring and defaults. A module
does not see the network's options: it maps features `[B, T, H, W, C]` to features of the same
shape. `CONTRIBUTING.md` has a complete example.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from vidjax import plugins
from vidjax.slots import Option


def options() -> Mapping[str, Option]:
    """Returns the options of all methods by name, in the order that they fill slots."""
    return _found()[0]


def unusable() -> Mapping[str, str]:
    """Returns the options that several packages define, which cannot be used, and why."""
    return _found()[1]


@plugins.cached
def _found() -> tuple[Mapping[str, Option], Mapping[str, str]]:
    here = sys.modules[__name__]
    found, twice = plugins.collect(here, "OPTIONS", lambda option: option.name, "option")
    return dict(sorted(found.items(), key=lambda item: item[1].rank)), twice
