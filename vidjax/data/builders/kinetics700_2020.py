"""Kinetics-700 as republished in 2020, with at least 700 videos per class."""

from vidjax.data.builders.kinetics import Kinetics


class Kinetics7002020(Kinetics):
    """Kinetics-700-2020 (Smaira et al. 2020): about 648,000 clips of 10 s in 700 classes."""

    name = "kinetics700_2020"
    CLASSES = 700
    VIDEOS = (("train", 545793), ("val", 34256))
    TRAPS = (
        *Kinetics.TRAPS,
        "The labels of the test split were never published.",
        "The archives contain macOS ._ files, which are not videos, and about 25 empty files.",
    )


prepare = Kinetics7002020.prepare
