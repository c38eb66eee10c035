"""CIFAR-100: small pictures of 100 kinds of things, for experiments without time."""

from vidjax.data.builders.published_images import PublishedImages


class CIFAR100(PublishedImages):
    """CIFAR-100 (Krizhevsky 2009): 60,000 pictures of 32x32 in 100 classes."""

    name = "cifar100"
    HOMEPAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
    LAYOUT = """
        cifar-100-binary.tar.gz, where there is no network; else it is downloaded
        """
    CLASSES = 100
    VIDEOS = (("train", 50000), ("test", 10000))
    TRAPS = (
        "Labels are the 100 fine ones; the files have 20 coarse ones beside them.",
        "Pictures are stored as PNG, without loss, whatever data.quality and short_side say.",
        "There is no validation split.",
    )


prepare = CIFAR100.prepare
