r"""Your own videos: a folder `class/video.*` or a CSV `path,label,split[,start,end,group]`.

Hardware: a laptop for a few hundred short videos; one accelerator for more. The score depends
on your videos; `docs/own-videos.md` has one measured example. Without `model`, the network is a
narrow r3d_18 that trains on a laptop. `model=NAME` trains any network with its own options, at its
own width unless `width` is given.

    vidjax train --config=folder --workdir=runs/mine \
        --config.data.manifest=my_videos.csv
    vidjax train --config=folder:model=x3d_s --workdir=runs/x3d \
        --config.data.manifest=my_videos.csv
"""

import ml_collections

from vidjax.configs import common

_NARROW = 16


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration for a manifest; arguments: `smoke`, `model`, `width`."""
    arguments = common.parse(argument, smoke=False, model="", width=0)
    config = common.base()
    if arguments.model:
        config.model.name = arguments.model
        config.model.options = {"width": arguments.width} if arguments.width else {}
    else:
        config.model.name = "r3d_18"
        config.model.options = {"width": arguments.width or _NARROW, "zero_init": True}
    config.data.name = "video_folder"
    config.data.short_side = 72
    config.clip = {"frames": 16, "stride": 2, "size": 64, "short": "loop", "sampling": "dense"}
    config.augment.update({"scale": (0.4, 1.0), "color": 0.3})
    config.train.update({"duration": "40 epochs", "batch_size": 16, "label_smoothing": 0.1})
    config.optimizer.update({"lr": 0.05, "weight_decay": 5e-4})
    config.every.update({"checkpoint": "5 epochs", "evaluate": "20 epochs"})
    config.eval.update({"clips": 1, "crops": 3, "size": 64, "batch_size": 8})
    return common.smoke(config) if arguments.smoke else config
