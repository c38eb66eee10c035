"""Applies settings that are given as text, as on the command line, to a configuration."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from absl import flags
from ml_collections import ConfigDict, config_flags

from vidjax.run.config import ConfigError, check_path

from . import command_line, flag_errors
from .config_groups import with_groups


def overridden(config: ConfigDict, settings: Mapping[str, str]) -> ConfigDict:
    """Returns a copy of a configuration with some settings changed.

    Args:
      config: the configuration.
      settings: texts by path; `{"optimizer.lr": "0.1"}` means `--config.optimizer.lr=0.1`.

    Raises:
      ConfigError: there is no such setting, or the text has another type. Ranges are not checked.
    """
    for path in settings:
        check_path(path)
    arguments = ["sweep", *(f"--config.{path}={text}" for path, text in settings.items())]
    values = flags.FlagValues()
    holder = config_flags.DEFINE_config_dict(
        "config",
        with_groups(copy.deepcopy(config), settings),
        flag_values=values,
        sys_argv=arguments,
        accept_new_attributes=True,
        lock_config=False,
    )
    try:
        values(arguments)
    # ml_collections raises any of these for a bad override.
    except (AttributeError, KeyError, TypeError, ValueError, SyntaxError) as error:
        raise ConfigError(command_line.first_line(error)) from None
    except flags.Error as error:
        raise ConfigError(flag_errors.plain(str(error).strip().splitlines()[-1])) from None
    found: ConfigDict = holder.value
    return found
