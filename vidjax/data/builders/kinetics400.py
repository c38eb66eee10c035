"""Kinetics-400: ten-second clips of web videos, 400 human actions."""

from vidjax.data.builders.kinetics import Kinetics


class Kinetics400(Kinetics):
    """Kinetics-400 (Kay et al. 2017): 306,245 clips of 10 s, each from another YouTube video."""

    name = "kinetics400"
    CLASSES = 400
    VIDEOS = (("train", 246534), ("val", 19906), ("test", 39805))


prepare = Kinetics400.prepare
