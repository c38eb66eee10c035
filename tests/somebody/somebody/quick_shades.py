"""Trains somebody's network on somebody's shades in seconds."""

import ml_collections

from vidjax.configs import common


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Returns the configuration; argument: `steps`."""
    arguments = common.parse(argument, steps=6)
    config = common.base()
    config.model.name = "plain"
    config.model.options = {"width": 4, "channel_gain": {"start": 2.0}}
    config.data.update({"name": "shades", "short_side": 32, "workers": 1})
    config.clip.update({"frames": 4, "stride": 1, "size": 32})
    config.augment.also = {"dimming": {"most": 0.2}}
    config.train.update({"duration": f"{arguments.steps} steps", "batch_size": 4})
    config.every.update({"log": "1 steps", "checkpoint": "3 steps", "evaluate": "6 steps"})
    config.eval.update({"clips": 1, "crops": 1, "size": 32, "batch_size": 4, "split": "test"})
    return config
