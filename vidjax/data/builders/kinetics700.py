"""Kinetics-700 as first published, in 2019."""

from vidjax.data.builders.kinetics import Kinetics


class Kinetics700(Kinetics):
    """Kinetics-700 (Carreira et al. 2019): 650,317 clips of 10 s in 700 classes."""

    name = "kinetics700"
    CLASSES = 700
    VIDEOS = (("train", 545317), ("val", 35000))
    TRAPS = (
        *Kinetics.TRAPS,
        "The labels of the test split were never published.",
        "The copy of the videos in circulation is that of 2020: use kinetics700_2020.",
    )


prepare = Kinetics700.prepare
