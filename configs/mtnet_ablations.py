r"""MTNets on HACS with other branches, cells and pools: thesis, tables 5.6, 5.7 and 5.8.

Hardware: 4 GPUs of 16 clips each (thesis, which does not say which GPUs). Score: the thesis' top-1
in percent over 30 views. Without arguments this is the network of tables 5.1 and 5.5.

    5.6 delta=  1     7/8   3/4   5/8   1/2   3/8   1/4
    mtnet_m     82.2  83.4  83.1  81.6  79.7  78.6  77.1
    mtnet_l     84.9  86.6  86.1  -     83.2  82.1  80.3

    5.7 cell=   rnn   lstm  peephole_lstm  gru
    mtnet_s     78.8  79.9  80.1           80.7
    mtnet_m     82.5  83.1  83.2           83.4

    5.8         frames=pooled                    frames=selected
        pool=   average  max   stochastic  soft  average  soft
    mtnet_s     77.8     75.9  76.8        77.8  80.5     80.7
    mtnet_m     79.8     77.6  78.2        80.7  82.6     83.4
    mtnet_l     83.8     82.1  82.9        84.2  85.9     86.6

The videos are yours, in `videos/` as published. Other settings and our choices are as in
`configs/mtnet.py`. The parameters in table 5.7 fit `--config.model.options.layers=1`, but the text
has two layers. In table 5.8 few frame selections have a choice; with `keep_time=true` all have one.

    vidjax train --config=mtnet_ablations:model=mtnet_m,delta=3/4 \
        --workdir=runs/mtnet_ablations/mtnet_m/delta_3_4
"""

import ml_collections

from vidjax.configs import common, mtnet, thesis

DELTAS = {"1": 1.0} | {f"{n}/{d}": n / d for n, d in ((7, 8), (3, 4), (5, 8), (1, 2), (3, 8))}
DELTAS["1/4"] = 1 / 4
CELLS = {cell: cell for cell in ("rnn", "lstm", "peephole_lstm", "gru")}


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: those below and `keep_time`, `model`, `smoke`."""
    choices = {"delta": "7/8", "cell": "gru", "pool": "soft", "frames": "selected"}
    arguments = common.parse(argument, smoke=False, keep_time=False, model="mtnet_m", **choices)
    config = mtnet.get_config(f"model={arguments.model},keep_time={arguments.keep_time}")
    options = {key: arguments[key] for key in choices}
    options["delta"] = common.choose(DELTAS, arguments.delta, "delta")
    config.model.options.update(options)
    return thesis.smoke(config) if arguments.smoke else config
