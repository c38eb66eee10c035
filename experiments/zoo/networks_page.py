"""The table of all networks, and the systems of the papers (docs/models.md)."""

from __future__ import annotations

from typing import Any

from vidjax.models.model_list import list_models, model_card
from vidjax.trained.published.registry import checkpoints

from . import cards, paper_systems

HEAD = """# The networks

Here you can choose a network. Each name leads to the network's card, with its stages, published
weights and accuracies, rows of the papers' tables, and options. On the site, click the title of a
column to sort the table.

- **parameters** are counted with 400 classes.
- **multiply-adds** are those of convolutions and matrix products, for one **clip** of the given
  frames and pixels.
- **top-1** is the highest accuracy on Kinetics-400, in percent, that a publisher of weights states.
  Protocols differ, and some weights were pretrained on more data. We measured none of these.
- **in the papers** are the numbers of the papers, not ours, in millions of parameters / billions of
  operations. *thesis* is the PhD thesis "Efficient Modelling Across Time of Human Actions and
  Interactions", *RMS* is Random Mean Scaling, and *CFP* is Class Feature Pyramids.

We count parameters and multiply-adds from the network's program (`vidjax.count_cost`). They agree
with counts of the published code: the parameters exactly, the multiply-adds within 0.5 %
(`tests/convert/test_parity.py`).

`vidjax options r3d_18` lists the options of a network with their defaults, meanings and allowed
values, including those of the methods. `vidjax.options("r3d_18")` returns them as data. Networks of
other packages are listed and used in the same way (`CONTRIBUTING.md`).

`vidjax convert --inflate=mean` turns image ResNets (torchvision's and those for CIFAR) into weights
for `r3d_*`, `wide_r3d_50`, `resnext3d_101`, `slowonly_*`, `tsm_50`, `tam_50` and `tam_ibm_50`
(`vidjax/convert/inflation.py`).

Written by `vidjax zoo > docs/models.md`.
"""


SYSTEMS_HEAD = """These systems appear in the tables of the papers. The last column names a
configuration that trains one of them: `vidjax train --config=NAME:ARGUMENTS`. Other arguments
choose others (`vidjax config`). `vidjax reproduce --table=TABLE` trains all rows of a table. To
train any network on your videos, use `vidjax train --config=folder --config.model.name=NETWORK`;
`--config.model.options.NAME=VALUE` sets an option.
"""
# Systems that the papers only compare with, and what builds each of them.
OTHERS = (
    ("RMS table 3: S3D", "`s3d`; with gates `s3dg`"),
    ("RMS table 3: ResNet-50 + NL x 5", "`i3d_r50_nl5`, the network of 32 frames"),
    ("RMS table 3: ResNet-50 + CGNL x 5", "`i3d_r50_cgnl5`"),
    ("RMS table 3: ResNet-50 + CGD", "`i3d_r50_cgd`"),
    (
        "thesis 5.2: MTConv",
        "`r3d_50_e1` with `multi_temporal={}`, where each branch sees its share of the input: "
        "29.4 M, 22.1 G; with `multi_temporal={'split_input': False}` both see all of it, as in "
        "eq. 5.2: 36.9 M, 24.5 G. The table prints 35.7 M and 23.1 G, which fits neither",
    ),
    ("thesis 4.4, 5.3: TSN", "`tsn_50`"),
    (
        "thesis 4.4, 5.3: TSN+Flow",
        "`tsn_bninception` with `channels=10`; `--config=tsn:modality=flow,dataset=mit`",
    ),
    ("thesis 4.4, 5.3: CoST", "`cost_101` with `long_clips=True`"),
    ("thesis 4.4, 5.3: AssembleNet", "`assemblenet_101`"),
    ("thesis 4.4, 5.3: EvaNet", "`evanet_1`, `evanet_2`: the networks that were published"),
    (
        "thesis 4.4, 5.3: SoundNet",
        "left out: it uses only sound, and our data sets have none",
    ),
)


# MTNet, options, frames of a clip; the numbers of frame selections that choose, that are forced,
# and that keep all frames; billions of multiply-adds.
CHOICES: tuple[tuple[str, dict[str, Any], int, tuple[int, int, int], float], ...] = (
    ("mtnet_s", {}, 13, (22, 30, 105), 4.085),
    ("mtnet_s", {"edge": "single"}, 13, (52, 0, 105), 4.085),
    ("mtnet_s", {"keep_time": True}, 13, (156, 0, 0), 22.253),
    ("mtnet_m", {}, 16, (22, 30, 105), 8.980),
    ("mtnet_m", {"edge": "single"}, 16, (52, 0, 105), 8.980),
    ("mtnet_m", {"keep_time": True}, 16, (156, 0, 0), 50.006),
    ("mtnet_m", {}, 32, (52, 66, 39), 17.945),
    ("mtnet_l", {}, 16, (34, 60, 237), 17.550),
    ("mtnet_l", {"edge": "single"}, 16, (94, 0, 237), 17.550),
    ("mtnet_l", {"keep_time": True}, 16, (330, 0, 0), 105.142),
)
CHOOSING = """
## Where MTNets choose frames

MTConvs keep the half of the frames that resemble their neighbours least (thesis, 5.3.1). In many
of their selections the content of the clip decides nothing:

- *forced*: the first and the last frame have only one neighbour, so they are not candidates. Of 4
  frames, the 2 others must be kept.
- *keep all*: of 2 frames or fewer, all are kept.

The reason is that MTNets halve time. The thesis does not say where. Its backbone, X3D, keeps time.
But only networks that halve time before stage 1 and in stages 2 to 4 have the operations of tables
5.1 and 5.6, and the released code halves time there too. So our networks do the same. With
`keep_time=True`, time is not halved. Then every selection has a choice, as in figure 5.4, for 5 to
6 times the operations. `edge="single"` makes the outer frames candidates. The shorter clips of a
multigrid leave fewer choices. `vidjax.evaluation.count_frame_choices` counts the selections of any
network.

| frames | network | options | with a choice | forced | keep all | multiply-adds |
| ---: | --- | --- | ---: | ---: | ---: | ---: |"""


def choice(name: str, options: dict[str, Any], frames: int, counts: Any, macs: float) -> str:
    """Returns a row of the table of frame selections, in Markdown."""
    given = ", ".join(f"`{option}={value!r}`" for option, value in options.items())
    cells = (frames, f"`{name}`", given or "-", *counts, f"{macs:.3f} G")
    return f"| {' | '.join(map(str, cells))} |"


def row(name: str) -> str:
    """Returns the row of a network, in Markdown."""
    card = model_card(name)
    page = cards.page_of(name)
    cells = (
        f"[`{name}`](networks/{page}#{name})" if page else f"`{name}`",
        f"{card.params:,}",
        f"{card.macs / 1e9:.3f} G",
        f"{'x'.join(map(str, card.clip))}, stride {card.frame_stride}",
        best_top1(name),
        "; ".join(card.tables) or "-",
    )
    return f"| {' | '.join(cells)} |"


def best_top1(name: str) -> str:
    """Returns the highest top-1 on Kinetics-400 that publishers of a network's weights state."""
    scores = [
        each.published.top1
        for each in checkpoints()
        if each.network == name and each.dataset == "kinetics400" and each.usable is not False
        if each.published and each.published.top1 is not None
    ]
    return f"{max(scores):.1f}" if scores else "-"


def table() -> str:
    """Returns the whole page."""
    lines = [HEAD]
    lines += ["| network | parameters | multiply-adds | clip | top-1 | in the papers |"]
    lines += ["| --- | ---: | ---: | --- | ---: | --- |"]
    lines += [row(name) for name in list_models()]
    lines += [
        "\n## Systems of the papers\n",
        SYSTEMS_HEAD,
        *paper_systems.lines(),
        paper_systems.MENTIONED,
    ]
    lines += ["\n## Other systems in the papers' tables\n"]
    lines += ["`non_local`, `cgnl` and `cgd` are also options of any residual network.\n"]
    lines += ["| row | built by |", "| --- | --- |"]
    lines += [f"| {name} | {how} |" for name, how in OTHERS]
    lines += [CHOOSING, *(choice(*each) for each in CHOICES)]
    return "\n".join(lines)
