"""ImageNet (ILSVRC 2012), for pretraining on images."""

from vidjax.data.builders.published_images import PublishedImages


class ImageNet2012(PublishedImages):
    """ImageNet (Russakovsky et al. 2015): 1.28 million training images of 1,000 classes."""

    name = "imagenet2012"
    HOMEPAGE = "https://image-net.org"
    LAYOUT = """
        ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar, as downloaded
        """
    FILES = ("ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar")
    CLASSES = 1000
    VIDEOS = (("train", 1281167), ("val", 50000))
    TRAPS = (
        "Class names are WordNet ids, in sorted order.",
        "The published validation set is the split val. The test set has no labels.",
        "Images keep their published size; data.quality and data.short_side have no effect.",
        "The labels of val depend on the order of names in the tar. Use the published tar.",
    )


prepare = ImageNet2012.prepare
