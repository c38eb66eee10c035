"""Lists the configurations, or prints every setting of one with its value.

With --source it prints the Python file, from which you can start your own.

Examples:
  vidjax config
  vidjax config demo
  vidjax config folder:model=r3d_50,smoke=true
  vidjax config folder --source > mine.py
"""

from __future__ import annotations

import ast

from absl import flags

from vidjax import configs
from vidjax.run.setting_list import settings
from vidjax.terminal import say

from . import command_line
from .settings_help import configured, written

_SOURCE = flags.DEFINE_bool("source", False, "Prints the Python file instead of the settings.")


def main(name: str = "") -> None:
    """Prints the names, the settings or the file."""
    if not name:
        width = max(map(len, configs.names()))
        for each in configs.names():
            tree = ast.parse(configs.find(each).read_text("utf-8"))
            about = (ast.get_docstring(tree) or "").partition("\n")[0]
            say(f"{each:<{width}}  {about}")
    elif _SOURCE.value:
        say(*configs.find(configs.split_argument(name)[0]).read_text("utf-8").splitlines())
    else:
        for setting in settings(configured(name)):
            say(f"--config.{setting.path}={written(setting.default)}")


if __name__ == "__main__":
    command_line.answer(main, __doc__, ("[CONFIGURATION]",))
