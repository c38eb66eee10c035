r"""Class Regularization: thesis, tables 6.2 to 6.4; ICIP 2020 paper, tables 1 and 2.

Hardware: 4 clips on each GPU (thesis); no paper says which GPUs. Score: the papers' top-1 in
percent, without and with Class Regularization.

    thesis      kinetics400  hacs         icip         kinetics400  ucf101       hmdb51
    r3d_50_e1       63.6 64.2             r3d_101      65.29 67.74  88.23 88.84  62.47 63.31
    r2plus1d_50_e1  64.5 65.2             wide_r3d_50  63.96 65.33  87.52 89.11  61.62 63.24
    wide_r3d_50_e1  64.0 65.3             i3d          66.42 67.85  91.80 93.17  64.27 65.83
    r3d_101_e1      65.2 67.7
    mtnet_s         74.8 76.1    80.7 81.8
    mtnet_m         76.6 77.7    83.4 84.7
    mtnet_l         78.1 78.9    86.6 87.5

`variant=icip` has no ReLU, and ICIP's training. UCF-101 and HMDB-51 start from Kinetics weights,
and MTNets on Kinetics from HACS weights, at 1e-3 (`rate=finetune`); all others at 0.1
(`rate=scratch`). `config.model.weights` names the weights. `tune=true` takes a network that was
trained on the data set, adds the method and trains it alone, as in the thesis. `baseline=true`
leaves the method out. Networks start with Kaiming initialisation (fan out). Put your videos into
`videos/` as published; the videos are yours. `configs/class_reg_runs.py` has our choices,
`docs/class_regularization.md` more.

    vidjax train --config=class_reg:model=r3d_101,variant=icip,dataset=ucf101,split=1 \
        --config.model.weights=runs/class_reg/r3d_101 --workdir=runs/class_reg/ucf101
"""

import ml_collections

from vidjax.configs import class_reg_runs, common


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: those below, `split`, `tune`, `baseline` and `smoke`."""
    method = {"variant": "thesis", "after": "", "bounds": "symmetric"}
    choices = {"model": "r3d_50_e1", "dataset": "kinetics400", "rate": "", **method}
    given = common.parse(argument, smoke=False, tune=False, baseline=False, split=0, **choices)
    length = common.choose(class_reg_runs.LENGTHS, given.variant, "variant")
    config = common.base()
    config.model.name = given.model
    if not given.baseline:
        options = {name: given[name] for name in method if given[name]}
        config.model.options.class_reg = options
    elif given.tune or given.after or given.bounds != method["bounds"]:
        raise ValueError("baseline=true leaves out the method that tune, after and bounds change")
    small = class_reg_runs.data(config, given.dataset, given.split)
    class_reg_runs.clips(config, given.variant, small)
    moved = small or (given.model.startswith("mtnet") and given.dataset == "kinetics400")
    rate = given.rate or ("finetune" if moved and not given.tune else "scratch")
    class_reg_runs.training(config, class_reg_runs.SMALL_LENGTH if small else length, rate)
    if given.tune:
        config.train.train_only = "class_reg"
    if (moved or given.tune) and not given.smoke:
        config.model.weights = f"weights/{given.model}"
    if not given.smoke:
        return config
    if given.model != "i3d":
        config.model.options.depths = (1, 1, 1, 1)
    return common.smoke(config)
