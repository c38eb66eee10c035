"""Random arrays instead of videos: measures a training step on a machine without any data.

Hardware: any. No score is meant: the labels follow the clips' brightness.

    vidjax train --config=synthetic:model=r3d_50 --workdir=runs/speed
"""

import ml_collections

from vidjax.configs import common


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration on synthetic arrays; arguments: `smoke`, `model`."""
    arguments = common.parse(argument, smoke=False, model="r3d_18")
    config = common.base()
    config.model.name = arguments.model
    config.data.name = "synthetic"
    config.data.options = {"num_classes": 10, "videos": 64}
    config.train.update({"duration": "50 steps", "batch_size": 8})
    config.every.update({"log": "5 steps", "checkpoint": "50 steps", "evaluate": "50 steps"})
    return common.smoke(config) if arguments.smoke else config
