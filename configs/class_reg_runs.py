"""What runs of Class Regularization are: data set, clips, length and rate.

The thesis' clips are those of its chapter 5, as section 6.4.2 says: fixed crops, its chain of
augmentations, and starts around a quarter of the video. The ICIP paper says only how large clips
are: crops of any area, mirroring and colours are ours there, and so are strides (`thesis.py`).
"""

import ml_collections

from vidjax.configs import common, mtnet, thesis

STRIDES = {name: thesis.STRIDES[name] for name in ("kinetics400", "hacs")} | thesis.SMALL_STRIDES
# Sizes of frames, of crops and of evaluated views on small data sets (ICIP, table 2) and others.
SMALL, LARGE = (320, 224, 256), (160, 112, 128)
# Epochs, and clips of a batch.
LENGTHS, SMALL_LENGTH = {"thesis": (120, 16), "icip": (170, 32)}, (100, 32)
# Of the first rate, and epochs from one tenth to the next (6.4.2, which calls the 70 "steps").
RATES = {"scratch": (0.1, 50), "finetune": (1e-3, 70)}


def data(config: ml_collections.ConfigDict, dataset: str, split: int) -> bool:
    """A data set, in `videos/` as published; returns whether it is one of the small ones."""
    config.clip.stride = common.choose(STRIDES, dataset, "dataset")
    small = dataset in thesis.SMALL_STRIDES
    if split and not small:
        raise ValueError(f"split = {split}: {dataset} has one; ucf101 and hmdb51 have 1, 2 and 3")
    folds = {"split": common.choose(thesis.FOLDS, split or 1, "split")} if small else {}
    common.published(config, dataset, **folds)
    config.eval.split = "test" if small else "val"
    return small


def clips(config: ml_collections.ConfigDict, form: str, small: bool) -> None:
    """Frames, sizes and augmentation; MTNets have their own sizes (tables 6.2 and 6.3)."""
    side, size, view = SMALL if small else LARGE
    frames = 16
    if config.model.name in mtnet.INPUTS:
        side, (frames, size) = 320, mtnet.INPUTS[config.model.name]
    config.data.short_side = side
    config.clip.update({"frames": frames, "size": size})
    config.eval.update({"clips": 10, "crops": 3, "size": view})
    if form == "icip":
        config.augment.update({"scale": (0.25, 1.0), "flip": 0.5, "color": 0.1})
        return
    config.clip.update({"sampling": "normal_start", "fit": True})
    config.augment.update({"crop": "fixed", "short_side": round(320 * size / 256), "flip": 0.5})
    config.augment.chain, config.eval.size = mtnet.CHAIN, size


def training(config: ml_collections.ConfigDict, length: tuple[int, int], rate: str) -> None:
    """Epochs and batch, and a rate of `RATES`."""
    epochs, config.train.batch_size = length
    config.train.duration = f"{epochs} epochs"
    lr, every = common.choose(RATES, rate, "rate")
    config.optimizer.update({"lr": lr, "weight_decay": 1e-5})
    drops = tuple(f"{epoch} epochs" for epoch in range(every, epochs, every))
    config.schedule.update({"name": "step", "warmup": "0 steps", "boundaries": drops})
    config.every.update({"checkpoint": "1 epochs", "evaluate": "100%"})
