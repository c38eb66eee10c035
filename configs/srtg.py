r"""SRTG on HACS, Kinetics-400 and 700 and Moments in Time: thesis, tables 4.1 to 4.5 and 5.1.

Hardware: the thesis does not say for SRTG. Score: the thesis' top-1 in percent over 30 views,
without gates (`model=r3d_34_e1`, or `srtg=none`) and with gates.

                  hacs       kinetics700  mit        kinetics400
    r3d_34        74.8 78.6  46.1 49.1    24.9 28.5
    r3d_50        78.4 80.3  49.1 53.5    28.2 30.7
    r3d_101       80.5 81.6  52.6 56.5    31.5 33.6  - 73.2
    r2plus1d_34   75.7 80.4  46.6 49.4    25.6 29.0
    r2plus1d_50   81.3 83.8  49.9 54.2    29.3 31.6
    r2plus1d_101  82.9 84.3  52.5 56.8    32.2 33.7  - 73.8
    4.1, hacs: srtg=start 75.70 76.44, mid 75.49 76.68, res 76.70 77.09, final 78.60 80.39 (r3d_34,
    r2plus1d_34); 4.5 has 80.4 and 81.7 for r3d_50 and r3d_101 with gates on hacs

`gate=hard` is the thesis' gate, which may never open; `gate_warmup_steps` keeps it open at first.
`gate=none`, the default, always fuses, like the code released with the thesis. `schedule=released`
is that code's schedule for HACS; we crop its 284 pixels from a short side of 320. `srtg=end` in
basic blocks (34 layers) is from the code, not the thesis. Kinetics-700 is the version of 2019.

The videos are yours, in `videos/` as published. Kinetics-700 starts from HACS weights, which
`config.model.weights` names. Our choices are in `configs/thesis.py`. `multigrid=official` is the
multigrid of its paper, with 1.5 times as many epochs; `none` turns it off.

    vidjax train --config=srtg:model=srtg_r3d_34,dataset=hacs \
        --workdir=runs/srtg/hacs/srtg_r3d_34
"""

import ml_collections

from vidjax.configs import common, thesis

# Batch size, crop, weight decay, Nesterov, augment.chain, epochs, and the epochs at which the
# learning rate is divided by ten.
SCHEDULES = {
    "thesis": (32, 224, 1e-5, False, 0.8, 150, (40, 70, 120)),
    "released": (48, 284, 1e-4, True, 0.9, 120, (40, 60, 75, 90)),
}


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: those below, `gate_warmup_steps` and `smoke`."""
    choices = {"model": "srtg_r3d_34", "dataset": "hacs", "srtg": "", "gate": ""}
    choices |= {"schedule": "thesis", "multigrid": "thesis"}
    arguments = common.parse(argument, smoke=False, gate_warmup_steps=0, **choices)
    schedule = common.choose(SCHEDULES, arguments.schedule, "schedule")
    batch_size, size, decay, nesterov, chain, epochs, drops = schedule
    model, gates = arguments.model, ("srtg", "gate", "gate_warmup_steps")
    options = {key: arguments[key] for key in gates if arguments[key]}
    if arguments.srtg == "none":
        model = f"{model.removeprefix('srtg_').removesuffix('_e1')}_e1"
        options.pop("srtg")
    config = thesis.base(model, arguments.dataset, size)
    config.model.options, config.augment.chain = options, chain
    factor = common.multigrid(config, arguments.multigrid)
    config.train.update({"duration": f"{factor * epochs:g} epochs", "batch_size": batch_size})
    config.optimizer.update({"lr": 0.1, "weight_decay": decay, "nesterov": nesterov})
    boundaries = tuple(f"{factor * epoch:g} epochs" for epoch in drops)
    config.schedule.update({"name": "step", "warmup": "0 steps", "boundaries": boundaries})
    return thesis.smoke(config) if arguments.smoke else config
