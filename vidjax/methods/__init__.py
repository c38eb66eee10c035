"""The methods: what is put into networks, each an option of `create_model`, one file each.

A file has a module (`flax.linen.Module`), a function that puts it into slots, and a tuple

    OPTIONS = (Option("my_method", fill, "a mapping of settings", "what it does"),)

with which it is found by itself: here, in a package that names it in an entry point of the group
`vidjax.methods`, or registered by `vidjax.plugins.register`. Files without `OPTIONS`, such as
CutMix, are what others share. Authors have from `vidjax.slots`

- `Option`: all that an option declares, its place in the order of methods included;
- `Slots`: the places in a block, what each calls its module with, and `Points` in a branch;
- `Places`: what a network has; `take_stages`, `take_points` read where the user wants it;
- `values_of`, `maker`, `filled`: read settings, check them, and put the module into stages;

from `vidjax.settings` the kinds of values (`number`, `one_of`, ...), and `settings_of` from
`vidjax.docstrings`, which describes a module's settings by its docstring and defaults. A module has
no option of a network in its hands: it gets features `[B, T, H, W, C]` and gives features of that
shape. `CONTRIBUTING.md` has a whole one.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from vidjax import plugins
from vidjax.slots import Option


def options() -> Mapping[str, Option]:
    """The options of all methods by name, in the order in which they fill slots."""
    return _found()[0]


def unusable() -> Mapping[str, str]:
    """Options that cannot be used, since several packages have one of that name, and why."""
    return _found()[1]


@plugins.remembered
def _found() -> tuple[Mapping[str, Option], Mapping[str, str]]:
    here = sys.modules[__name__]
    found, twice = plugins.collect(here, "OPTIONS", lambda option: option.name, "option")
    return dict(sorted(found.items(), key=lambda item: item[1].rank)), twice
