r"""RMS paper, table 5: SlowFast-50 on Something-Something-v2, from Kinetics-400 weights.

Hardware: the NSML platform; the paper does not say with what devices. Score: the paper's top-1
and top-5, in percent over 30 views: `baseline` 59.5 86.6, `rms` 61.2 87.6.

The videos are yours, in `videos/` as published. The weights are yours too: a folder that
`vidjax convert` writes, for example from PyTorchVideo's file. The paper gives the learning rate and
says that it drops in steps. Epochs, steps and the warm-up of 0.2 epochs are PySlowFast's for these
videos; the rest is as in table 4 (`rms_recipe.py`). (PySlowFast has a learning rate of 0.03 for 16
clips, decay 1e-6, and 64 frames spread over the video.) Clips are not flipped, because labels tell
left from right.

    vidjax train --config=rms_something:row=rms \
        --config.model.weights=weights/slowfast_50 --workdir=runs/rms_something/rms
"""

import ml_collections

from vidjax.configs import common, rms_rows


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration of a row; arguments: `row` (`baseline`, `rms`, `rms_gf`), `smoke`."""
    arguments = common.parse(argument, smoke=False, row="rms")
    config = common.base()
    config.model.name = "slowfast_50"
    common.published(config, "something_something_v2")
    config.data.update({"short_side": 256, "fps": 25.0})
    config.clip.update({"frames": 32, "stride": 2, "size": 224})
    config.augment.update({"scale": (0.25, 1.0), "ratio": (0.75, 1.3333), "flip": 0.0})
    config.train.update({"duration": "22 epochs", "batch_size": 64})
    config.optimizer.update({"lr": 0.01, "weight_decay": 1e-4, "nesterov": True})
    boundaries = ("14 epochs", "18 epochs")
    config.schedule.update({"name": "step", "warmup": "1%", "boundaries": boundaries})
    config.every.update({"checkpoint": "1 epochs", "evaluate": "100%"})
    config.eval.update({"split": "val", "clips": 10, "crops": 3, "size": 256})
    config.update(common.choose(rms_rows.METHODS, arguments.row, "row"))
    config.model.weights = "" if arguments.smoke else "weights/slowfast_50"
    return common.smoke(config) if arguments.smoke else config
