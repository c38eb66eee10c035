r"""Temporal Segment Networks, over colours or optical flow: Wang et al., ECCV 2016.

Hardware: the paper does not say for training. Score: the paper's top-1 in percent on split 1 of
UCF-101 (table 3, average consensus), tsn_bninception from weights of ImageNet:

    modality=rgb 85.7   modality=flow 87.9   both, with weights 1 and 1.5: 93.5

The thesis' row TSN+Flow of Moments in Time (tables 4.4 and 5.3: 15.7 34.7) is the flow network:
`dataset=mit,modality=flow`. Each of three equal parts of a video gives a frame, or five successive
fields of flow; in testing 25 parts do, in 10 crops. All batch norms but the first keep their
statistics. Batch, rate, steps, length, crops and the clipped gradient are those of its authors'
yjxiong/tsn-pytorch, which freezes the norms' scales and biases, too.

The videos are yours, in `videos/` as published. The works start from weights of ImageNet, which
`config.model.weights` names; this starts from random ones. Their flow is `tvl1`, which OpenCV's
contrib build alone has: `config.data.flow_method=tvl1`.

    vidjax train --config=tsn:modality=rgb --workdir=runs/tsn/rgb
    vidjax train --config=tsn:modality=flow --workdir=runs/tsn/flow
"""

import ml_collections

from vidjax.configs import common

# Steps and length in epochs, the share of a frame's area that a crop has, and dropout.
MODALITIES = {
    "rgb": (("30 epochs", "60 epochs"), "80 epochs", (0.33, 0.75), 0.8),
    "flow": (("190 epochs", "300 epochs"), "340 epochs", (0.42, 0.75), 0.7),
}
DATASETS = {"ucf101": "ucf101", "hmdb51": "hmdb51", "mit": "moments_in_time"}


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: `modality`, `model`, `dataset`, `fold`, `smoke`."""
    choices = {"modality": "rgb", "model": "tsn_bninception", "dataset": "ucf101"}
    arguments = common.parse(argument, smoke=False, fold=1, **choices)
    boundaries, duration, scale, dropout = common.choose(MODALITIES, arguments.modality, "modality")
    config = common.base()
    config.model.name = arguments.model
    if arguments.model == "tsn_bninception":
        config.model.options.dropout = dropout
    if arguments.modality == "flow":
        config.model.options.channels = 10
        config.data.update({"input": "flow", "flow_pairs": 5})
    name, small = common.choose(DATASETS, arguments.dataset, "dataset"), arguments.dataset != "mit"
    common.published(config, name, **({"split": arguments.fold} if small else {}))
    config.data.short_side = 256
    config.clip.update({"frames": 3, "size": 224, "sampling": "segments"})
    config.augment.update({"scale": scale, "ratio": (0.857, 1.167)})
    config.train.update({"duration": duration, "batch_size": 128, "partial_batch_norm": True})
    config.optimizer.update({"lr": 0.001, "weight_decay": 5e-4, "clip_norm": 20.0})
    config.schedule.update({"name": "step", "warmup": "0 steps", "boundaries": boundaries})
    config.every.update({"checkpoint": "1 epochs", "evaluate": "20 epochs"})
    config.eval.update({"split": "test" if small else "val", "frames": 25, "crops": 10})
    config.eval.update({"size": 224, "short_side": 256, "batch_size": 4})
    if arguments.smoke:
        sides = {"clip": {"frames": 3, "size": 64}, "eval": {"frames": 5, "size": 64}}
        common.smoke(config).update(sides)
    return config
