r"""Temporal Segment Networks with RGB or optical flow: Wang et al., ECCV 2016.

Hardware: the paper does not say for training. Score: the paper's top-1 in percent on split 1 of
UCF-101 (table 3, average consensus), for tsn_bninception from ImageNet weights:

    modality=rgb 85.7   modality=flow 87.9   both, with weights 1 and 1.5: 93.5

The thesis' row TSN+Flow on Moments in Time (tables 4.4 and 5.3: 15.7 34.7) is the flow network:
`dataset=mit,modality=flow`. Each of three equal segments of a video gives a frame, or five flow
fields in a row. Tests use 25 segments and 10 crops. All batch norms except the first keep their
statistics. Batch size, learning rate, steps, epochs, crops and gradient clipping are those of the
authors' yjxiong/tsn-pytorch, which also freezes the norms' scales and biases.

The videos are yours, in `videos/` as published. The paper starts from ImageNet weights; name them
with `config.model.weights`, or it starts from random ones. The paper's flow is `tvl1`, which only
OpenCV's contrib build has: `config.data.flow_method=tvl1`.

    vidjax train --config=tsn:modality=rgb --workdir=runs/tsn/rgb
    vidjax train --config=tsn:modality=flow --workdir=runs/tsn/flow
"""

import ml_collections

from vidjax.configs import common

# Learning rate steps, epochs, area of a crop as a share of the frame, and dropout.
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
