"""The demo: trains a small r3d_18 on generated videos of actions, on two CPU cores.

Hardware: 2 CPU cores. `still=true` shows the network one repeated frame per clip, to test what a
single frame tells. The README has the time and the score.

    vidjax train --config=demo --workdir=runs/demo
"""

import ml_collections

from vidjax.configs import common


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration of the demo; arguments: `smoke`, `still`."""
    arguments = common.parse(argument, smoke=False, still=False)
    config = common.base()
    config.model.options = {"width": 16, "stem_kernel": (3, 7, 7), "zero_init": True}
    # 4x6x6 cells of features, so that explanations can point at limbs.
    whole, halved = (1, 1, 1), (2, 2, 2)
    config.model.options.depths = (2, 2, 2, 0)
    config.model.options.strides = (whole, halved, whole, whole)
    config.data.options = {"train_per_class": 48, "test_per_class": 12, "seed": 0}
    config.data.short_side = 56
    config.clip = {"frames": 16, "stride": 2, "size": 48, "short": "loop", "sampling": "dense"}
    config.clip.sampling = "still" if arguments.still else "dense"
    config.augment.scale = (0.7, 1.0)
    config.train.update({"duration": "20 epochs", "batch_size": 16})
    config.optimizer.update({"lr": 0.05, "weight_decay": 5e-4})
    config.every.update({"checkpoint": "25%", "evaluate": "100%"})
    config.eval.update({"clips": 3, "crops": 3, "size": 48, "batch_size": 8})
    return common.smoke(config) if arguments.smoke else config
