"""The names that the glossary gives to terms are names of the code."""

import re

from tests.documentation.pages import ROOT
from vidjax.run.setting_list import settings

PAGE = ROOT / "docs/glossary.md"
_CODE = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Za-z_]\w+")
# A setting, such as `data.name=marionette`; neither a file nor a module.
_SETTING = re.compile(r"(?!vidjax)([a-z_]+\.(?!csv|png|json)[a-z_]+)(=\w+)?")


def _unknown(codes, words, paths):
    """The names that the code does not have."""
    named = {found[1] for code in codes if (found := _SETTING.fullmatch(code))}
    return (named - paths) | {name for code in codes for name in _NAME.findall(code)} - words


def _words():
    """Every word of the program."""
    folders = ("vidjax", "experiments", "configs")
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    return {word for file in files for word in _NAME.findall(file.read_text(encoding="utf-8"))}


def test_names_of_the_glossary_are_in_the_code():
    codes = set(_CODE.findall(PAGE.read_text(encoding="utf-8")))
    words, paths = _words(), {setting.path for setting in settings()}
    assert len(codes) > 40
    assert not _unknown(codes, words, paths)
    assert _unknown({"data.no_such_setting", "no_such_word"}, words, paths) == {
        "data.no_such_setting",
        "no_such_setting",
        "no_such_word",
    }
