"""Prints the table of all networks, as in docs/models.md.

Example:
  vidjax zoo > docs/models.md
"""

from __future__ import annotations

import itertools

from absl import app

from vidjax.convert.loading import sources
from vidjax.models.listing import list_models, model_card
from vidjax.terminal import say

HEAD = """# The networks

Parameters with 400 classes; multiply-adds (MAC) of one clip of the size given, of convolutions
and matrix products only. Both are counted from the network's program (`vidjax.count_cost`),
equal to counts of the published code to the last parameter and within 0.5 % of the
multiply-adds (`tests/convert/test_parity.py`). \"Printed\" are the numbers of the four works,
millions of parameters / billions of operations, and are the papers', not ours: the PhD thesis
"Modelling across time", Random Mean Scaling (RMS) and Class Feature Pyramids (CFP). \"Weights\" are
projects whose checkpoints `vidjax.load_torch` reads.

`vidjax options r3d_18` lists what a network's options may be, with defaults and meanings, those of
methods too; `vidjax.options("r3d_18")` has them as data. Networks of other packages are listed and
used like these (`CONTRIBUTING.md`).

Weights of image ResNets, torchvision's and those for CIFAR, become weights of `r3d_*`,
`wide_r3d_50`, `resnext3d_101`, `slowonly_*`, `tsm_50`, `tam_50` and `tam_ibm_50` by
`vidjax convert --inflate=mean` (`vidjax/convert/inflation.py`).

Written by `vidjax zoo > docs/models.md`.
"""


# Systems that the works compare with, and what builds each.
OTHERS = (
    ("RMS table 3: S3D", "`s3d`; with gates `s3dg`"),
    ("RMS table 3: ResNet-50 + NL x 5", "`i3d_r50_nl5`, the network of 32 frames"),
    ("RMS table 3: ResNet-50 + CGNL x 5", "`i3d_r50_cgnl5`"),
    ("RMS table 3: ResNet-50 + CGD", "`i3d_r50_cgd`"),
    ("thesis 4.4, 5.3: TSN", "`tsn_50`"),
    (
        "thesis 4.4, 5.3: TSN+Flow",
        "`tsn_bninception` with `channels=10`; `--config=tsn:modality=flow,dataset=mit`",
    ),
    ("thesis 4.4, 5.3: CoST", "`cost_101` with `long_clips=True`"),
    ("thesis 4.4, 5.3: AssembleNet", "`assemblenet_101`"),
    ("thesis 4.4, 5.3: EvaNet", "`evanet_1`, `evanet_2`: those that were published"),
    (
        "thesis 4.4, 5.3: SoundNet",
        "left out: it hears sound, and sees no frame; the data sets here have no sound",
    ),
)


def row(name: str) -> str:
    """A network's line of the table."""
    card = model_card(name)
    clip = "x".join(map(str, card.clip))
    cells = (
        f"`{name}`",
        f"{card.params:,}",
        f"{card.macs / 1e9:.3f} G",
        f"{clip}, stride {card.frame_stride}",
        "; ".join(card.tables) or "-",
        "; ".join(sources(name)) or "-",
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """The whole page: a table, and for each group of networks its paper and its notes."""
    lines = [HEAD]
    lines += ["| network | parameters | MAC | clip | printed | weights |"]
    lines += ["| --- | ---: | ---: | --- | --- | --- |"]
    lines += [row(name) for name in list_models()]
    lines += ["\n## What the works compare with\n"]
    lines += [
        "`non_local`, `cgnl` and `cgd` are options of any residual network, too. The works only "
        "mention\nOctave convolution and others; no table has them.\n"
    ]
    lines += ["| row | built by |", "| --- | --- |"]
    lines += [f"| {name} | {how} |" for name, how in OTHERS]
    lines += ["\n## Sources, and where numbers differ\n"]

    def origin(name: str) -> tuple[str, str]:
        return model_card(name).paper, model_card(name).notes

    for (paper, notes), names in itertools.groupby(sorted(list_models(), key=origin), origin):
        lines.append(f"- {', '.join(f'`{name}`' for name in names)}: {paper}.")
        if notes:
            lines.append(f"  {notes}")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Prints the page."""
    del arguments
    say(*table().splitlines())


if __name__ == "__main__":
    app.run(main)
