"""Tests `--help` of every command: examples can be pasted, flags are in sentences and groups."""

import re
import shlex

import pytest

from experiments.benchmark.__main__ import PARTS
from tests.commands import run_command
from vidjax.__main__ import commands

COMMANDS = [(name,) for name in commands()] + [("benchmark", part) for part in PARTS]
# Matches a flag of the help, with the sentences below it.
FLAG = re.compile(r"^  --(\[no\])?([\w.]+)(=.*)?\n((?:      .*\n?)+)", re.MULTILINE)
# `benchmark` itself only lists its parts; the parts have flags.
LISTED = [("benchmark",)]


@pytest.fixture(scope="module")
def helps():
    """Returns the help of each command, which is requested once."""
    found = {}

    def ask(command):
        if command not in found:
            name, *part = command
            found[command] = run_command(f"experiments.{name}", *part, "--help")
        return found[command]

    return ask


def flags_of(text):
    """Returns the sentences of each flag before the settings, by name."""
    before = text.partition("\nSettings:\n")[0]
    return {match[2]: " ".join(match[4].split()) for match in FLAG.finditer(before)}


def examples_of(text):
    """Returns the command lines of a help text, split as by a shell."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^  (vidjax .*)$", joined, re.MULTILINE)
    return [shlex.split(line.partition(" > ")[0]) for line in lines]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_flags_are_in_sentences(helps, command):
    done = helps(command)
    assert (done.returncode, done.stderr) == (0, "")
    for name, text in flags_of(done.stdout).items():
        assert re.match(r"[A-Z0-9`]", text), f"--{name}: {text}"
        assert text.endswith("."), f"--{name}: {text}"
        assert " " in text, f"--{name}: {text}"
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if "--config." not in line)


@pytest.mark.parametrize("command", [(name,) for name in commands()], ids=" ".join)
def test_examples_can_be_pasted(helps, command):
    """Each example names this command, and flags that it or a part of it has."""
    text = helps(command).stdout
    examples = examples_of(text)
    assert examples, text
    own = [example for example in examples if example[:2] == ["vidjax", *command]]
    assert own
    for example in own:
        asked = command
        if command == ("benchmark",):
            asked = (*command, example[2])
            if asked[1:] == ("models",) and example[-1] == "--help":
                continue
        flags = flags_of(helps(asked).stdout)
        for word in example[2:]:
            if word.startswith("--") and not word.startswith("--config"):
                name = word[2:].partition("=")[0]
                assert name in flags or name.removeprefix("no") in flags, f"{word} in {example}"


def test_flags_are_in_groups_with_shared_groups_last(helps):
    text = helps(("evaluate",)).stdout
    titles = re.findall(r"^([A-Z].*):$", text, re.MULTILINE)
    assert titles == ["Examples", "Flags", "Network", "Several processes", "Hanging", "Settings"]
    network = text.partition("\nNetwork:\n")[2].partition("\nSeveral processes:\n")[0]
    assert re.findall(r"--(\w+)=", network)[:2] == ["workdir", "checkpoint"]


def test_allowed_values_and_defaults_of_flags_are_shown(helps):
    flags = flags_of(helps(("prepare",)).stdout)
    assert flags["quality"].endswith("From 1 to 100. Default: 90.")
    assert flags["dataset"].endswith("Required.")
    described = "Option of the data set, such as split=2; --describe lists them."
    assert flags["option"] == f"{described} May be given several times."
    assert "--input=frames|flow" in helps(("prepare",)).stdout
    assert flags_of(helps(("features",)).stdout)["average"].endswith("On by default.")
    assert "--config=NAME[:KEY=VALUE,...]" in helps(("train",)).stdout


def test_positional_arguments_are_named(helps):
    assert "\nUsage:\n  vidjax compare RUN_A RUN_B [FLAGS]\n" in helps(("compare",)).stdout
    assert "Usage:" not in helps(("train",)).stdout


def test_old_names_of_flags_and_configurations_work_and_print_the_new_ones(tmp_path):
    flags = ("--printed=9.9", f"--output={tmp_path / 'a.png'}")
    old, new = run_command("experiments.tradeoff", *flags).stderr.splitlines()
    assert old == "--printed is now called --paper_tables"
    assert new.startswith("error: --table=9.9 is unknown")
    done = run_command("experiments.config", "tune:part=head")
    assert done.stderr == "the configuration 'tune' is now called 'finetune'\n"
    assert done.stdout == run_command("experiments.config", "finetune:part=head").stdout


def test_an_unknown_configuration_is_refused_in_help_too():
    done = run_command("experiments.train", "--config=nowhere", "--help")
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere is unknown")
