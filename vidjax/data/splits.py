"""The splits of a data set and their alternative names."""

SPLITS = ("train", "val", "test")
_ALIASES = {
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "training": "train",
    "testing": "test",
}


def split_name(text: str) -> str:
    """Returns the name that vidjax uses for a split.

    >>> split_name("validation")
    'val'
    """
    return _ALIASES.get(text.lower(), text.lower())


def is_split(text: str) -> bool:
    """Returns whether a text is the name of a split."""
    return split_name(text) in SPLITS
