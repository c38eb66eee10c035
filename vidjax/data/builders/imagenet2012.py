"""ImageNet as of the challenge of 2012, for pretraining on pictures."""

from vidjax.data.builders.published_images import PublishedImages


class ImageNet2012(PublishedImages):
    """ImageNet (Russakovsky et al. 2015): 1.28 million training pictures of 1,000 classes."""

    name = "imagenet2012"
    HOMEPAGE = "https://image-net.org"
    LAYOUT = """
        ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar, as they are downloaded
        """
    FILES = ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar")
    CLASSES = 1000
    VIDEOS = (("train", 1281167), ("val", 50000))
    TRAPS = (
        "Classes are named by their WordNet numbers, in the order of these.",
        "The published validation split is the split val; the test split has no labels.",
        "Pictures keep their published size, whatever data.quality and short_side say.",
        "Labels of val follow from the order of names in the tar: use it as it was published.",
    )


prepare = ImageNet2012.prepare
