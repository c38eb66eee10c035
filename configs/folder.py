r"""Your own videos: a folder `class/video.*` or a CSV `path,label,split[,start,end,group]`.

Hardware: a laptop for a few hundred short videos; one accelerator for more. The score depends
on your videos; "Train on your own videos" in the README has one measured example.

    vidjax train --config=folder --workdir=runs/mine \
        --config.data.manifest=my_videos.csv
"""

import ml_collections

from vidjax.configs import common


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration for a manifest; arguments: `smoke`, `model`, `width`."""
    arguments = common.parse(argument, smoke=False, model="r3d_18", width=16)
    config = common.base()
    config.model.name = arguments.model
    config.model.options = {"width": arguments.width, "zero_init": True}
    config.data.name = "video_folder"
    config.data.short_side = 72
    config.clip = {"frames": 16, "stride": 2, "size": 64, "short": "loop", "sampling": "dense"}
    config.augment.update({"scale": (0.4, 1.0), "color": 0.3})
    config.train.update({"duration": "40 epochs", "batch_size": 16, "label_smoothing": 0.1})
    config.optimizer.update({"lr": 0.05, "weight_decay": 5e-4})
    config.every.update({"checkpoint": "5 epochs", "evaluate": "20 epochs"})
    config.eval.update({"clips": 1, "crops": 3, "size": 64, "batch_size": 8})
    return common.smoke(config) if arguments.smoke else config
