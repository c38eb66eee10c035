r"""MTNets from HACS to UCF-101: thesis, table 5.9.

Hardware: the thesis does not say for transfer. Score: the thesis' top-1 and top-5 in percent.

    mtnet_s 94.2 98.0   mtnet_m 95.4 98.1   mtnet_l 97.4 99.2

Section 5.4.7 says only that all weights are those of table 5.5. How the network is trained is
taken from section 4.5: the classifier alone, at 0.01, a tenth of it from epoch 40 and again from
60 of 80. Clips, batch, decay and what is missing are those of `configs/mtnet.py`.

The videos are yours, in `videos/` as published, with their official folds, of which all experiments
of the thesis use the first (3.2.2), the default, and so are the weights, which
`config.model.weights` names. The network runs as in evaluation, so without dropout.
`dataset=hmdb51` has no score. What is ours besides is in `configs/thesis.py`.

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
