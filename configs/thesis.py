"""What chapters 4 and 5 of the thesis share: data, clips, views, and transfer to small data sets.

Batches go through a multigrid. The chain of `vidjax/data/thesis_augmentation` augments a clip with
probability 0.8, and applies each of its operations with 0.4 (4.4.1). Then clips are mirrored. The
released code has 0.9 for large data sets, and 0.65 and 0.3 for UCF-101: `augment.chain` and
`augment.member`. All kernels decay, those of recurrent cells too. Ours: strides of UCF-101 and
HMDB-51, which are those of data sets with videos as long.
"""

import ml_collections

from vidjax.configs import common

# Distance of a clip's frames (4.4.1, 5.4.1).
STRIDES = {"hacs": 2, "kinetics400": 5, "kinetics700": 5, "mit": 3}
SMALL_STRIDES = {"ucf101": 5, "hmdb51": 3}
FOLDS = {1: 1, 2: 2, 3: 3}


def base(model: str, dataset: str, size: int = 224) -> ml_collections.ConfigDict:
    """A network on a large data set; Kinetics-700 starts from weights of HACS (tables 4.3, 5.4).

    Args:
      model: name of the network.
      dataset: one of `STRIDES`.
      size: of the crop from frames whose short side is 320.
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
    """The classifier alone, on a fold of `ucf101` or `hmdb51` (section 4.5)."""
    config.model.weights = f"weights/{config.model.name}"
    config.clip.stride = common.choose(SMALL_STRIDES, dataset, "dataset")
    common.published(config, dataset, split=common.choose(FOLDS, fold, "fold"))
    config.eval.split = "test"
    config.train.update({"train_only": "head", "duration": "80 epochs"})
    config.optimizer.lr = 0.01
    steps = {"name": "step", "warmup": "0 steps", "cosine_over": "rest"}
    config.schedule.update(steps | {"boundaries": ("40 epochs", "60 epochs")})


def smoke(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """`common.smoke` with one block a stage, from random weights and without a long warm-up."""
    config.model.weights = ""
    config.model.options.depths = (1, 1, 1, 1)
    config.schedule.warmup = "0 steps"
    return common.smoke(config)
