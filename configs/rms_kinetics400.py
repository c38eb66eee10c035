r"""RMS paper, table 4: three networks on Kinetics-400, trained from scratch.

Hardware: the NSML platform; the paper does not say with what devices. Score: the paper's top-1
and top-5, in percent over 30 views (10 in rows with a star, which our copy of the table lacks).

    slowonly_50  baseline 73.0 90.9   rms 74.2 91.5   rms_gf 74.8 91.6
    ip_csn_50    baseline 69.7 88.6   rms 70.5 89.6
    slowfast_50  baseline 75.0 92.1   rms 76.3 92.5   (section 4.3 swaps the last two gains)

The videos are yours, in `videos/` as published. A clip has 8 frames (32 for SlowFast) that span 64.
RMS is in both pathways of SlowFast here; the paper does not say in which. The training ("our
training setting" for all three) is in an appendix that we do not have; `rms_recipe.py` has our
substitute. At borders the mean leaves out positions outside, as we read eq. 1.

    vidjax train --config=rms_kinetics400:model=slowfast_50,row=rms \
        --workdir=runs/rms_kinetics400/slowfast_50/rms
"""

import ml_collections

from vidjax.configs import common, rms_recipe, rms_rows

FRAMES = {"slowonly_50": 8, "ip_csn_50": 8, "slowfast_50": 32}
SPAN = 64


def get_config(argument: str | None = None) -> ml_collections.ConfigDict:
    """Configuration of a row; arguments: `model`, `row` (`baseline`, `rms`, `rms_gf`), `smoke`."""
    arguments = common.parse(argument, smoke=False, model="slowonly_50", row="rms")
    frames = common.choose(FRAMES, arguments.model, "model")
    config = common.base()
    config.model.name = arguments.model

    common.published(config, "kinetics400")
    config.data.update({"short_side": 256, "fps": 25.0})
    config.clip.update({"frames": frames, "stride": SPAN // frames, "size": 224})
    config.augment.update({"scale": (0.25, 1.0), "ratio": (0.75, 1.3333), "flip": 0.5})
    rms_recipe.from_scratch(config)
    config.every.update({"checkpoint": "1 epochs", "evaluate": "100%"})
    config.eval.update({"split": "val", "clips": 10, "crops": 3, "size": 256})
    config.update(common.choose(rms_rows.METHODS, arguments.row, "row"))
    return common.smoke(config) if arguments.smoke else config
