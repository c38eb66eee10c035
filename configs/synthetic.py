"""Random arrays instead of videos, to measure training steps on a machine without data.

Hardware: any. The score means nothing: the labels follow the brightness of the clips.

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
