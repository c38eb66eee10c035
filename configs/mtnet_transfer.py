r"""MTNets from HACS to UCF-101: thesis, table 5.9.

Hardware: the thesis does not say for transfer. Score: the thesis' top-1 and top-5 in percent.

    mtnet_s 94.2 98.0   mtnet_m 95.4 98.1   mtnet_l 97.4 99.2

Section 5.4.7 says only that the weights are those of table 5.5. The training is that of section
4.5: only the classifier, at a learning rate of 0.01, divided by ten at epochs 40 and 60 of 80.
Clips, batch size, decay and what is missing in the thesis are as in `configs/mtnet.py`.

The videos are yours, in `videos/` as published, with their official folds. All experiments of the
thesis use the first fold (3.2.2), which is the default. The weights are yours too, and
`config.model.weights` names them. The network runs as in evaluation, without dropout.
`dataset=hmdb51` has no score in the thesis. Our other choices are in `configs/thesis.py`.

    vidjax train --config=mtnet_transfer:model=mtnet_m,dataset=ucf101 \
        --config.model.weights=runs/mtnet/hacs/mtnet_m --workdir=runs/mtnet_transfer/ucf101
"""

import ml_collections

from vidjax.configs import common, mtnet, thesis


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration; arguments: `model`, `dataset` (`ucf101`, `hmdb51`), `fold`, `smoke`."""
    choices = {"model": "mtnet_m", "dataset": "ucf101"}
    arguments = common.parse(argument, smoke=False, fold=1, **choices)
    config = mtnet.get_config(f"model={arguments.model}")
    thesis.transfer(config, arguments.dataset, arguments.fold)
    del config.model.options.dropout
    return thesis.smoke(config) if arguments.smoke else config
