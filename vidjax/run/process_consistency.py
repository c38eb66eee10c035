"""Checks that all processes of a job have the same configuration, code, versions and data.

Each process sends a checksum of its facts. If the checksums differ, process 0 reads the facts
themselves, and all processes end with one line that names the differences and their values.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from vidjax import records
from vidjax.layers.convolution.choice import given_table
from vidjax.run import code_digest, process_messages
from vidjax.run.config import Config, ConfigError, to_mapping
from vidjax.run.experiment import Experiment
from vidjax.run.process_messages import in_words
from vidjax.run.processes import open_connections
from vidjax.run.shared_folder import folder_identity
from vidjax.run.workdir import PACKAGES, versions
from vidjax.untrusted_names import short

# Settings of a machine's own work; they may differ between processes.
_OWN = ("data.workers", "data.threads", "data.cache_dir", "data.cache_gb")
# Largest number of differences in an error, and of distinct groups of processes compared.
_MOST = 4


def agree(config: Config, folders: Mapping[str, Path], **more: Any) -> None:
    """Compares configuration, code, versions, folders and devices among all processes.

    Afterwards all processes are there, and their devices can communicate. A single process passes.

    Args:
      config: configuration of this process.
      folders: folders that must be the same for all, by the flag that sets them.
      **more: other facts, by name.

    Raises:
      ConfigError: the processes differ; says in what.
      AbsentError: a process did not arrive within `--join_timeout`.
    """
    if process_messages.alone():
        return
    settings = dict(_leaves(to_mapping(config)))
    facts = {name: settings[name] for name in settings if name not in _OWN} | more
    table = given_table()
    facts |= {
        "the start of the job": process_messages.process_group().token,
        "the code of vidjax": code_digest.digest()[:12],
        "the version of Python": platform.python_version(),
        "the table of convolutions": table and table["sha256"][:12],
    }
    facts |= {f"the version of {name}": version for name, version in versions(PACKAGES)}
    compare("compare their settings", facts)
    for flag, folder in folders.items():
        with folder_identity(folder) as meant:
            compare("compare their folders", {flag: meant})
    here = jax.local_devices()
    compare("compare their devices", {"devices": f"{len(here)} x {here[0].device_kind}"})
    open_connections()


def agree_on_data(experiment: Experiment, splits: Sequence[str], **more: Any) -> None:
    """Compares the prepared data set among all processes.

    Args:
      experiment: network and data set of this process.
      splits: splits to be read.
      **more: other facts, by name.

    Raises:
      ConfigError: the processes differ; says in what.
    """
    if process_messages.alone():
        return
    facts: dict[str, Any] = more
    for name in dict.fromkeys(splits):
        split = experiment.split(name)
        facts |= {f"videos of {name!r}": len(split), f"the list of {name!r}": split.manifest_digest}
    facts |= {f"class {number}": name for number, name in enumerate(experiment.network.classes)}
    compare("compare their data", facts)


def compare(what: str, facts: Mapping[str, Any]) -> None:
    """Refuses facts that are not the same in all processes.

    Args:
      what: fixed name of the comparison.
      facts: facts of plain JSON types, by name.

    Raises:
      ConfigError: the processes differ; names the differences and their values.
      AbsentError: a process did not arrive in time.
    """
    if process_messages.alone():
        return
    text = json.dumps(facts, sort_keys=True, default=str)
    here = process_messages.process_group()

    def judge(key: str, sums: dict[int, str]) -> str:
        kinds: dict[str, list[int]] = {}
        for process in sorted(sums):
            kinds.setdefault(sums[process], []).append(process)
        return _differences([(kind, _facts_of(what, kind[0])) for kind in kinds.values()][:_MOST])

    process_messages.set_text(f"facts to {what}/{here.index}", text)
    differences = process_messages.exchange(what, hashlib.sha256(text.encode()).hexdigest(), judge)
    if differences:
        raise ConfigError(
            f"the processes of this job differ: {differences}. Start all of them with the same "
            "command, the same code and the same number of devices"
        )


def _facts_of(what: str, process: int) -> dict[str, Any]:
    text = process_messages.get_text(f"facts to {what}/{process}")
    return records.parsed(text or "{}", dict[str, Any])


def _differences(kinds: Sequence[tuple[list[int], Mapping[str, Any]]]) -> str:
    """Lists differences between groups of processes, each given by its processes and facts."""
    (_, first), *_ = kinds
    names = list(dict.fromkeys(name for _, facts in kinds for name in facts))
    told = []
    for name in names:
        values = [(facts.get(name), processes) for processes, facts in kinds]
        if any(value != first.get(name) for value, _ in values):
            each = (f"{short(repr(value), 120)} in {in_words(who)}" for value, who in values)
            told.append(f"{name} is {', '.join(each)}")
    more = f"; and {len(told) - _MOST} more" if len(told) > _MOST else ""
    return "; ".join(told[:_MOST]) + more


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Flattens settings to paths and values."""
    if not isinstance(value, Mapping):
        return [(path, value)]
    return [
        leaf
        for key, part in value.items()
        for leaf in _leaves(part, f"{path}.{key}" if path else str(key))
    ]
