r"""RMS paper, table 6: image networks on CIFAR-100 and ImageNet.

Hardware: the NSML platform; the paper does not say with what devices. Score: the paper's top-1
and top-5, in percent (CIFAR-100: mean of several runs).

    cifar100  ResNet-110  baseline 74.49 93.18   rms 77.17 94.15
    imagenet  ResNet-50   baseline 76.81 93.26   rms 77.62 93.91

An image is a video with one frame. CIFAR-100 is downloaded; ImageNet's archives are yours, in
`videos/imagenet2012`. RMS draws from N(1, 0.5) in the last two stages of each network (CIFAR's has
three). Its mean is over 3x3, by "2D average pooling" (section 5.2), because the clip has one frame.
The rest of the training is in an appendix that we do not have. Epochs, learning rates, decay, crops
and views are those of CutMix's code for ResNet-50, with its CIFAR steps and batch size on CIFAR.
CIFAR images are padded with a black border of 4 pixels and cropped at random. ImageNet is tested on
224 pixels from a short side of 256.

    vidjax train --config=rms_images:data=cifar100,row=rms \
        --workdir=runs/rms_images/cifar100/rms
"""

import ml_collections

from vidjax.configs import common, rms_rows

MODELS = {"cifar100": "cifar_resnet_110", "imagenet": "resnet_50"}


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration of a row; arguments: `data`, `row` (`baseline`, `rms`, `rms_gf`), `smoke`."""
    arguments = common.parse(argument, smoke=False, data="cifar100", row="rms")
    cifar = arguments.data == "cifar100"
    config = common.base()
    config.model.name = common.choose(MODELS, arguments.data, "data")
    config.update(common.choose(rms_rows.METHODS, arguments.row, "row"))
    common.published(config, "cifar100" if cifar else "imagenet2012")
    config.clip.update({"frames": 1, "stride": 1, "size": 32 if cifar else 224})
    config.augment.update({"crop": "padded"} if cifar else {"scale": (0.08, 1.0)})
    config.train.update({"duration": "300 epochs", "batch_size": 64 if cifar else 256})
    config.optimizer.update({"lr": 0.1, "nesterov": True, "weight_decay": 1e-4})
    boundaries = ("50%", "75%") if cifar else ("25%", "50%", "75%")
    config.schedule.update({"name": "step", "warmup": "0 steps", "boundaries": boundaries})
    config.eval.update({"split": "test" if cifar else "val", "size": config.clip.size})
    config.eval.short_side = 0 if cifar else 256
    if arguments.smoke:
        common.smoke(config).clip.update({"frames": 1, "stride": 1})
        config.model.options.depths = (2, 2, 2) if cifar else (1, 1, 1, 1)
    return config
