"""liu-zhy/temporal-adaptive-module: TANet, named like TSM's networks with modules `tam`."""

from vidjax.convert import tsm
from vidjax.convert.key_mapping import Layout

MODULES = {
    r"L\.0": "adapt:local_kernel1",
    r"L\.1": "adapt/local_norm",
    r"L\.3": "adapt/local2",
    r"G\.0": "adapt/global1",
    r"G\.1": "adapt/global_norm",
    r"G\.3": "adapt/global2",
}
RULES = tuple(
    (tsm.BLOCK + rf"tam\.{torch}", "layer{layer}/block{index}/" + ours)
    for torch, ours in MODULES.items()
)
LAYOUTS = (Layout("temporal-adaptive-module", (*RULES, *tsm.RULES), {"tam_50": ({},)}),)
