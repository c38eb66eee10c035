"""Shared settings of chapters 4 and 5 of the thesis: data, clips, views, and transfer learning.

Batches follow a multigrid. Clips are augmented by the chain of augmentations with probability 0.8,
by each of its members with probability 0.4 (4.4.1), and then flipped. The released code has 0.9 for
large data sets, and 0.65 and 0.3 for UCF-101: `augment.chain` and `augment.member`. Weight decay
applies to all kernels, including those of recurrent cells. Our choice: the strides for UCF-101 and
HMDB-51 are those of data sets with equally long videos.
"""

import ml_collections

from vidjax.configs import common

# Strides between frames (4.4.1, 5.4.1).
STRIDES = {"hacs": 2, "kinetics400": 5, "kinetics700": 5, "mit": 3}
SMALL_STRIDES = {"ucf101": 5, "hmdb51": 3}
FOLDS = {1: 1, 2: 2, 3: 3}


def base(model: str, dataset: str, size: int = 224) -> ml_collections.ConfigDict:
    """Trains a network on a large data set; Kinetics-700 starts from HACS weights (4.3, 5.4).

    Args:
      model: name of the network.
      dataset: one of `STRIDES`.
      size: size of the crop, from frames with a short side of 320.
    """
    config = common.base()
    config.model.name = model
    config.model.weights = f"weights/{model}" if dataset == "kinetics700" else ""
    common.published(config, "moments_in_time" if dataset == "mit" else dataset)
    config.data.short_side = 320
    stride = common.choose(STRIDES, dataset, "dataset")
    config.clip.update({"frames": 16, "stride": stride, "size": size, "fit": True})
    config.augment.update({"crop": "fixed", "short_side": 320, "flip": 0.5, "chain": 0.8})
    config.optimizer.decay_recurrent = True
    common.multigrid(config, "thesis")
    config.every.update({"checkpoint": "1 epochs", "evaluate": "100%"})
    config.eval.update({"split": "val", "clips": 10, "crops": 3, "size": 256})
    return config


def transfer(config: ml_collections.ConfigDict, dataset: str, fold: int) -> None:
    """Trains the classifier alone, on a fold of `ucf101` or `hmdb51` (section 4.5)."""
    config.model.weights = f"weights/{config.model.name}"
    config.clip.stride = common.choose(SMALL_STRIDES, dataset, "dataset")
    common.published(config, dataset, split=common.choose(FOLDS, fold, "fold"))
    config.eval.split = "test"
    config.train.update({"train_only": "head", "duration": "80 epochs"})
    config.optimizer.lr = 0.01
    steps = {"name": "step", "warmup": "0 steps", "cosine_over": "rest"}
    config.schedule.update(steps | {"boundaries": ("40 epochs", "60 epochs")})


def smoke(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """`common.smoke` with one block per stage, random weights and no warm-up."""
    config.model.weights = ""
    config.model.options.depths = (1, 1, 1, 1)
    config.schedule.warmup = "0 steps"
    return common.smoke(config)
