"""Settings of the Class Regularization runs: data set, clips, epochs and learning rate.

The thesis uses the clips of its chapter 5 (section 6.4.2): fixed crops, its chain of augmentations,
and clips that start around a quarter of the video. The ICIP paper gives only the size of clips, so
random crops, flips, colour jitter and strides are our choices there (`thesis.py`).
"""

import ml_collections

from vidjax.configs import common, mtnet, thesis

STRIDES = {name: thesis.STRIDES[name] for name in ("kinetics400", "hacs")} | thesis.SMALL_STRIDES
# Short side, crop and test view in pixels, on small data sets (ICIP, table 2) and on others.
SMALL, LARGE = (320, 224, 256), (160, 112, 128)
# Epochs and batch size.
LENGTHS, SMALL_LENGTH = {"thesis": (120, 16), "icip": (170, 32)}, (100, 32)
# Learning rate, and epochs until it drops by ten (6.4.2, which calls the 70 "steps").
RATES = {"scratch": (0.1, 50), "finetune": (1e-3, 70)}


def data(config: ml_collections.ConfigDict, dataset: str, split: int) -> bool:
    """Sets the data set, in `videos/` as published; returns whether it is a small one."""
    config.clip.stride = common.choose(STRIDES, dataset, "dataset")
    small = dataset in thesis.SMALL_STRIDES
    if split and not small:
        raise ValueError(
            f"split = {split}: {dataset} has one split; ucf101 and hmdb51 have 1, 2 and 3"
        )
    folds = {"split": common.choose(thesis.FOLDS, split or 1, "split")} if small else {}
    common.published(config, dataset, **folds)
    config.eval.split = "test" if small else "val"
    return small


def clips(config: ml_collections.ConfigDict, variant: str, small: bool) -> None:
    """Sets frames, sizes and augmentation; MTNets have other sizes (tables 6.2 and 6.3)."""
    side, size, view = SMALL if small else LARGE
    frames = 16
    if config.model.name in mtnet.INPUTS:
        side, (frames, size) = 320, mtnet.INPUTS[config.model.name]
    config.data.short_side = side
    config.clip.update({"frames": frames, "size": size})
    config.eval.update({"clips": 10, "crops": 3, "size": view})
    if variant == "icip":
        config.augment.update({"scale": (0.25, 1.0), "flip": 0.5, "color": 0.1})
        return
    config.clip.update({"sampling": "normal_start", "fit": True})
    config.augment.update({"crop": "fixed", "short_side": round(320 * size / 256), "flip": 0.5})
    config.augment.chain, config.eval.size = mtnet.CHAIN, size


def training(config: ml_collections.ConfigDict, length: tuple[int, int], rate: str) -> None:
    """Sets epochs, batch size, and a learning rate of `RATES`."""
    epochs, config.train.batch_size = length
    config.train.duration = f"{epochs} epochs"
    lr, every = common.choose(RATES, rate, "rate")
    config.optimizer.update({"lr": lr, "weight_decay": 1e-5})
    drops = tuple(f"{epoch} epochs" for epoch in range(every, epochs, every))
    config.schedule.update({"name": "step", "warmup": "0 steps", "boundaries": drops})
    config.every.update({"checkpoint": "1 epochs", "evaluate": "100%"})
