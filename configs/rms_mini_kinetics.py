r"""RMS paper, tables 1a to 1d, 2 and 3: SlowOnly on Mini-Kinetics, one run per row.

Hardware: the NSML platform; the paper does not say with what devices. Score: the paper's top-1,
in percent over 30 views, mean of three runs. `rms_rows.py` explains the names of the rows.

    slowonly_34  baseline 74.7, rms 77.0, rms_gf 77.5, random_drop 75.6, shake_drop 77.3,
                 cutmix 76.3; 1a: before_conv1 76.7, _norm1 76.9, _act1 76.4, _conv2 76.8,
                 _norm2 76.7, _act2 76.3, _norms 77.0; 1b: normal_0.3 76.1, _0.5 77.0, _0.7 76.9,
                 uniform_0.5_1.5 75.7, _0.0_2.0 76.4, _-0.5_2.5 74.5; 1c: mean_0.3 76.1, _0.5 77.0,
                 input_0.3 75.6, _0.5 75.4, residual_0.3 75.0, _0.5 75.6; 1d: gaussian_0.4 77.5,
                 _1.0 77.2, _2.0 77.2
    slowonly_50  baseline 77.5, rms 78.6, rms_gf 78.3, random_drop 76.6, shake_drop 78.3,
                 cutmix 78.2; 1a: before_norm1 78.4, _norm2 77.8, _norm3 78.6; 1d: gaussian_0.4 78.3

The videos are yours, in `videos/` as published. Section 4.1 gives clips, augmentation and views.
The rest is in an appendix that we do not have; `rms_recipe.py` has our substitute. At borders the
mean leaves out positions outside, as we read eq. 1; `border='zero'` counts them, like PyTorch.

    vidjax train --config=rms_mini_kinetics:model=slowonly_34,row=rms \
        --workdir=runs/rms_mini_kinetics/slowonly_34/rms
"""

import ml_collections

from vidjax.configs import common, rms_recipe, rms_rows


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration of a row; arguments: `model` (`slowonly_34`, `slowonly_50`), `row`, `smoke`."""
    arguments = common.parse(argument, smoke=False, model="slowonly_34", row="rms")
    rows = common.choose(rms_rows.MINI_KINETICS, arguments.model, "model")
    config = common.base()
    config.model.name = arguments.model
    common.published(config, "mini_kinetics200")
    config.data.update({"short_side": 256, "fps": 25.0})
    config.clip.update({"frames": 8, "stride": 8, "size": 224})
    config.augment.update({"scale": (0.25, 1.0), "ratio": (0.75, 1.3333), "flip": 0.5})
    rms_recipe.from_scratch(config)
    config.every.update({"checkpoint": "1 epochs", "evaluate": "100%"})
    config.eval.update({"split": "val", "clips": 10, "crops": 3, "size": 256})
    config.update(common.choose(rows, arguments.row, "row"))
    return common.smoke(config) if arguments.smoke else config
