r"""Fine-tunes published weights on your own videos: only the classifier, or all layers.

Hardware: a laptop for a few hundred short videos; `docs/pretrained.md` has measured examples.
`weights` is what other commands take as `--weights`. `part=head` trains the classifier on the
frozen network, `part=all` trains every layer, `part=scratch` trains the same network from random
weights.

    vidjax train --config=finetune:weights=i3d:kinetics400,part=head \
        --config.data.manifest=my_videos.csv --workdir=runs/finetuned
"""

import ml_collections

from vidjax.configs import common

# Parameters to train, and learning rate.
PARTS = {"head": ("head", 0.01), "all": ("", 0.01), "scratch": ("", 0.05)}


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration for a manifest; arguments: `smoke`, `weights`, `model`, `part`."""
    arguments = common.parse(argument, smoke=False, weights="i3d:kinetics400", model="", part="all")
    train_only, rate = common.choose(PARTS, arguments.part, "part")
    config = common.base()
    # The text before the colon is the network; a folder or a run also needs model=NAME.
    config.model.name = arguments.model or arguments.weights.partition(":")[0]
    if arguments.part != "scratch":
        config.model.weights = arguments.weights
    config.data.name = "video_folder"
    config.data.short_side = 128
    config.clip.update({"frames": 16, "stride": 2, "size": 112, "fit": True})
    config.augment.update({"scale": (0.4, 1.0), "color": 0.3})
    config.train.update({"duration": "10 epochs", "batch_size": 8, "label_smoothing": 0.1})
    config.train.train_only = train_only
    config.optimizer.update({"lr": rate, "weight_decay": 1e-4, "clip_norm": 5.0})
    config.every.update({"checkpoint": "1 epochs", "evaluate": "5 epochs"})
    config.eval.update({"clips": 1, "crops": 3, "size": 112, "short_side": 128, "batch_size": 4})
    if arguments.smoke:
        config.model.update({"name": "r3d_18", "weights": ""})
        config.train.train_only = ""
        return common.smoke(config)
    return config
