"""CIFAR-100: small images of 100 classes, for experiments without a time dimension."""

from vidjax.data.builders.published_images import PublishedImages


class CIFAR100(PublishedImages):
    """CIFAR-100 (Krizhevsky 2009): 60,000 images of 32x32 pixels in 100 classes."""

    name = "cifar100"
    HOMEPAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
    LAYOUT = """
        cifar-100-binary.tar.gz, if there is no network; otherwise it is downloaded
        """
    CLASSES = 100
    VIDEOS = (("train", 50000), ("test", 10000))
    TRAPS = (
        "The labels are the 100 fine classes; the 20 coarse classes in the files are not used.",
        "Images are stored losslessly as PNG; data.quality and data.short_side have no effect.",
        "There is no validation split.",
    )


prepare = CIFAR100.prepare
