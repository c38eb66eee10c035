"""The parts that a data set is divided into, and what others call them."""

SPLITS = ("train", "val", "test")
_ALIASES = {
    "valid": "val",
    "validate": "val",
    "validation": "val",
    "training": "train",
    "testing": "test",
}


def split_name(text: str) -> str:
    """What a split is called here: `validation` is `val`, `training` is `train`."""
    return _ALIASES.get(text.lower(), text.lower())


def is_split(text: str) -> bool:
    """Whether a name is that of a split."""
    return split_name(text) in SPLITS
