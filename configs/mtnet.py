r"""MTNets on Kinetics-400, Moments in Time, Kinetics-700 and HACS: thesis, tables 5.1, 5.3 to 5.5.

Hardware: 4 GPUs of 16 clips each (thesis, which does not say which GPUs), in half precision:
`--config.dtype=bfloat16`. Score: the thesis' top-1 and top-5 in percent over 30 views.

             kinetics400  mit         kinetics700  hacs
    mtnet_s  74.8 92.1    -           -            80.7 95.2
    mtnet_m  76.6 92.5    34.5 58.6   58.4 77.6    83.4 95.9
    mtnet_l  78.1 93.2    35.2 59.3   63.3 84.1    86.6 96.7

The videos are yours, in `videos/` as published. Training clips start around a quarter of the video
(figure 5.6) and have a fixed stride. Kinetics-700 is the version of 2020 (3.2.3). It starts from
HACS weights, which `config.model.weights` names. Where the thesis gives no setting, training
follows X3D (5.4.1), so dropout is 0.5. The thesis prints several inputs for mtnet_s. We use 13
frames, as in X3D-S, at 182 pixels from a short side of 228; the others crop 256 from 320. Our other
choices are in `configs/thesis.py`. The learning rate is the printed one: a cosine over all steps,
for the largest batch of the multigrid. `keep_time=true` does not halve time in the network. Then
every frame selection has a choice, and clips cost more: `docs/models.md` counts both.

    vidjax train --config=mtnet:model=mtnet_m,dataset=hacs \
        --workdir=runs/mtnet/hacs/mtnet_m
"""

import ml_collections

from vidjax.configs import common, thesis

# Frames and size of the network's input.
INPUTS = {"mtnet_s": (13, 182), "mtnet_m": (16, 256), "mtnet_l": (16, 256)}
# Probability of the chain of augmentations (5.4.1).
CHAIN = 0.7


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: `model`, `dataset`, `keep_time`, `smoke`."""
    choices = {"model": "mtnet_m", "dataset": "hacs"}
    arguments = common.parse(argument, smoke=False, keep_time=False, **choices)
    frames, size = common.choose(INPUTS, arguments.model, "model")
    config = train(thesis.base(arguments.model, arguments.dataset, 256))
    if arguments.dataset == "kinetics700":
        common.published(config, "kinetics700_2020")
    if arguments.keep_time:
        config.model.options.keep_time = True
    config.clip.update({"frames": frames, "size": size})
    config.augment.short_side = round(320 * size / 256)
    config.eval.size = size
    return thesis.smoke(config) if arguments.smoke else config


def train(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    """Sets the training of section 5.4.1."""
    config.clip.sampling = "normal_start"
    config.augment.chain = CHAIN
    config.model.options.dropout = 0.5
    config.train.update({"duration": "400 epochs", "batch_size": 64})
    config.optimizer.update({"lr": 1.16, "weight_decay": 5e-5})
    config.schedule.update({"name": "cosine", "warmup": "8000 steps", "cosine_over": "run"})
    return config
