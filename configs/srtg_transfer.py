r"""SRTG from large data sets to UCF-101 and HMDB-51: thesis, tables 4.6 and 4.7.

Hardware: the thesis does not say for SRTG. Score: the thesis' top-1 in percent over 30 views, on
UCF-101 and HMDB-51, from weights of HACS, of HACS and Kinetics-700, and of HACS and MiT.

    srtg_r3d_34        94.8 74.3   95.8 74.2   95.2 74.2
    srtg_r3d_50        95.7 75.6   96.8 76.0   96.5 76.0
    srtg_r3d_101       97.3 77.5   97.4 78.0   97.6 78.4
    srtg_r2plus1d_34   94.1 72.9   94.6 73.2   95.6 74.5
    srtg_r2plus1d_50   95.7 75.3   96.0 75.7   96.3 76.0
    4.6, UCF-101: r3d_101_e1 95.8, r2plus1d_101_e1 95.5, srtg_r2plus1d_101 97.3. It says that its
    weights are of HACS and Kinetics-700, but for the five above it has 4.7's numbers of HACS.

Only the classifier is trained, at a learning rate of 0.01, divided by ten at epochs 40 and 60 of
80. The videos are yours, in `videos/` as published, with their official folds. The weights are
yours too: `config.model.weights` names them, for example the work directory of a run of
`configs/srtg.py`. All experiments of the thesis use the first fold (3.2.2), the default. All other
settings are as in `srtg.py`; our choices are in `configs/thesis.py`.

    vidjax train --config=srtg_transfer:model=srtg_r3d_34,dataset=ucf101 \
        --config.model.weights=runs/srtg/hacs/srtg_r3d_34 --workdir=runs/srtg_transfer/ucf101
"""

import ml_collections

from vidjax.configs import common, srtg, thesis


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: `model`, `dataset` (`ucf101`, `hmdb51`), `fold`, `smoke`."""
    choices = {"model": "srtg_r3d_34", "dataset": "ucf101"}
    arguments = common.parse(argument, smoke=False, fold=1, **choices)
    config = srtg.get_config(f"model={arguments.model}")
    thesis.transfer(config, arguments.dataset, arguments.fold)
    return thesis.smoke(config) if arguments.smoke else config
