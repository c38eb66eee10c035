r"""Class Regularization on Kinetics-400: thesis, table 6.4; ICIP 2020 paper, tables 1 and 2.

Hardware: 4 clips on each GPU (thesis); the works do not say which GPUs. Score: the works' top-1 in
percent, without and with it.

    r3d_50_e1       thesis 63.6 64.2
    r2plus1d_50_e1  thesis 64.5 65.2
    wide_r3d_50_e1  thesis 64.0 65.3, ICIP 63.96 65.33
    r3d_101_e1      thesis 65.2 67.7, ICIP 65.29 67.74
    i3d             ICIP 66.42 67.85

`form=thesis` is after each stage, with ReLU; `form=icip` after each block, without (its table 1
counts one layer a stage: `--config.model.options.class_reg.after=stage`). `tune=true` adds it to a
trained network, whose folder `config.model.weights` names, and trains it alone, as the thesis does.
`baseline=true` leaves it out.

The videos are yours, in `videos/` as published. Batch and length are each work's own; rate, steps
and decay the thesis' (6.4.2), and so is the stride (chapter 4). Ours are the sizes, which are to
the 112 of the crop what 320 and 256 are to 224, the crop's share, the views and the colours.

    vidjax train --config=class_reg:model=r3d_101_e1,form=thesis \
        --workdir=runs/class_reg/r3d_101_e1
"""

import ml_collections

from vidjax.configs import common


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: `model`, `form`, `bounds`, `tune`, `baseline`, `smoke`."""
    choices = {"model": "r3d_50_e1", "form": "thesis", "bounds": "symmetric"}
    arguments = common.parse(argument, smoke=False, tune=False, baseline=False, **choices)
    icip = arguments.form == "icip"
    config = common.base()
    config.model.name = arguments.model
    if not arguments.baseline:
        config.model.options.class_reg = {"form": arguments.form, "bounds": arguments.bounds}
    common.published(config, "kinetics400")
    config.data.short_side = 160
    config.clip.update({"frames": 16, "stride": 5, "size": 112})
    config.augment.update({"scale": (0.25, 1.0), "flip": 0.5, "color": 0.1})
    duration, batch_size = ("170 epochs", 32) if icip else ("120 epochs", 16)
    config.train.update({"duration": duration, "batch_size": batch_size})
    config.optimizer.update({"lr": 0.1, "weight_decay": 1e-5})
    boundaries = ("50 epochs", "100 epochs", "150 epochs")
    config.schedule.update({"name": "step", "warmup": "0 steps", "boundaries": boundaries})
    config.every.update({"checkpoint": "1 epochs", "evaluate": "100%"})
    config.eval.update({"split": "val", "clips": 10, "crops": 3, "size": 128})
    if arguments.tune:
        config.train.train_only = "class_reg"
        config.model.weights = "" if arguments.smoke else f"weights/{arguments.model}"
    return common.smoke(config) if arguments.smoke else config
