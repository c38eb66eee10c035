"""The systems in the tables of the four papers, with the network and configuration for each.

`networks_page.OTHERS` has the rows that the papers took from elsewhere only for comparison.
"""

from __future__ import annotations

from typing import NamedTuple


class System(NamedTuple):
    """A system of the papers' tables.

    Attributes:
      name: name in the papers.
      tables: tables that have it.
      network: network that builds it.
      train: configuration of `vidjax train` that trains it; empty if any configuration does, with
        the network's name.
    """

    name: str
    tables: str
    network: str
    train: str = ""


SYSTEMS = (
    System(
        "SlowOnly-34, SlowOnly-50",
        "RMS 1 to 4; thesis 5.2",
        "`slowonly_34`, `slowonly_50`",
        "rms_mini_kinetics:model=slowonly_34,row=rms",
    ),
    System(
        "RMS, RMS-GF",
        "RMS 1 to 6",
        "`random_scaling={}`, with `low_pass='gaussian'`",
        "rms_kinetics400:model=slowonly_50,row=rms_gf",
    ),
    System(
        "RandomDrop, ShakeDrop, CutMix",
        "RMS 2",
        "`residual_drop`; CutMix is `train.cutmix`",
        "rms_mini_kinetics:model=slowonly_50,row=shake_drop",
    ),
    System(
        "SlowFast: SlowFast-50, SF-50, SF r3d-50; SF-101",
        "RMS 4, 5; thesis 4.2, 4.3, 4.6, 5.1, 5.2, 5.4, 5.5, 5.9, 6.2, 6.3",
        "`slowfast_50`, in 5.2 `slowfast_50_4x16`; SF-101 is `slowfast_101_16x8`",
        "rms_kinetics400:model=slowfast_50,row=baseline",
    ),
    System(
        "ip-CSN-50, -101, -152; ir-CSN-101, -152",
        "RMS 4; thesis 4.2, 4.3, 4.6, 5.1, 5.4, 5.5, 5.9, 6.2, 6.3",
        "`ip_csn_*`, `ir_csn_*`",
        "rms_kinetics400:model=ip_csn_50,row=baseline",
    ),
    System(
        "ResNet-110, ResNet-50 on images",
        "RMS 6",
        "`cifar_resnet_110`, `resnet_50`",
        "rms_images:data=cifar100,row=rms",
    ),
    System(
        "r3d-34, -50, -101; 3D with ResNet-50",
        "thesis 4.1, 4.2, 4.5, 4.6, 5.2, 5.5, 6.2, 6.4",
        "`r3d_34_e1`, `r3d_50_e1`, `r3d_101_e1`",
        "srtg:model=r3d_34_e1,dataset=hacs",
    ),
    System(
        "r(2+1)d-34, -50, -101; (2+1)D with ResNet-50",
        "thesis 4.1, 4.2, 4.5, 4.6, 5.2, 5.5, 6.2, 6.4",
        "`r2plus1d_34_e1`, `r2plus1d_50_e1`, `r2plus1d_101_e1`",
        "srtg:model=r2plus1d_34_e1,dataset=hacs",
    ),
    System(
        "SRTG r3d, SRTG r(2+1)d",
        "thesis 4.1 to 4.7, 5.1, 5.3 to 5.5, 5.9, 6.2",
        "`srtg_r3d_*`, `srtg_r2plus1d_*`",
        "srtg:model=srtg_r3d_34,dataset=hacs",
    ),
    System(
        "MTNet S, M, L",
        "thesis 5.1, 5.3 to 5.9, 6.2, 6.3, 7.1",
        "`mtnet_s`, `mtnet_m`, `mtnet_l`",
        "mtnet:model=mtnet_m,dataset=hacs",
    ),
    System(
        "MTConv with ResNet-50",
        "thesis 5.2",
        "`r3d_50_e1` with `multi_temporal={}`",
        "mtconv:row=mtconv",
    ),
    System(
        "Class Regularization, on any network",
        "ICIP 1, 2; thesis 6.2 to 6.4, 6.6",
        "`class_reg={}`",
        "class_reg:model=r3d_101_e1,variant=thesis",
    ),
    System(
        "ResNet101-3D, ResNet101; ResNet50-3D, ResNet152-3D",
        "ICIP 1, 2; thesis 7.1",
        "`r3d_50`, `r3d_101`, `r3d_152`",
        "class_reg:model=r3d_101,variant=icip",
    ),
    System(
        "Wide ResNet50-3D, Wide ResNet50; wide-r3d-50",
        "ICIP 1, 2; thesis 6.4",
        "`wide_r3d_50`, in 6.4 `wide_r3d_50_e1`",
        "class_reg:model=wide_r3d_50_e1,variant=thesis",
    ),
    System("ResNeXt101-3D", "ICIP 1; thesis 7.1", "`resnext3d_101`"),
    System(
        "I3D",
        "ICIP 1, 2; thesis 4.2 to 4.4, 4.6, 5.1, 5.3, 5.4, 5.9, 6.3, 7.1",
        "`i3d`",
        "class_reg:model=i3d,variant=icip",
    ),
    System(
        "MF-Net, Multi-Fiber",
        "ICIP 1; thesis 4.2 to 4.4, 4.6, 5.1 to 5.5, 5.9, 6.2, 6.3, 7.1",
        "`mfnet`",
        "mtconv:row=mfnet",
    ),
    System(
        "R(2+1)D",
        "ICIP 1; thesis 5.1, 6.3",
        "`r2plus1d_34`, whose numbers the thesis prints; in ICIP 1 `r2plus1d_50`",
    ),
    System("TSM", "thesis 4.2, 4.3, 4.6, 5.1, 5.4, 5.9, 6.3", "`tsm_50`"),
    System(
        "TAM",
        "thesis 4.2, 5.1, 5.5, 6.2, 6.3",
        "`tam_50`, whose numbers the thesis prints; `blvnet_tam_50` and `tam_ibm_50` are from the "
        "paper that tables 4.2 and 6.2 cite",
    ),
    System("X3D-L, X3D-XL", "thesis 5.1, 5.5, 6.2, 6.3", "`x3d_l`, `x3d_xl`"),
)
MENTIONED = """
The papers mention Octave convolution, P3D, Two-Stream networks and other systems only in their
reviews of the literature. No table has them, so there is nothing to reproduce, and vidjax does not
implement them."""


def lines() -> list[str]:
    """Returns the lines of the table, in Markdown."""
    rows = [
        f"| {each.name} | {each.tables} | {each.network} | {_command(each.train)} |"
        for each in SYSTEMS
    ]
    return ["| system | tables | built by | --config= |", "| --- | --- | --- | --- |", *rows]


def _command(config: str) -> str:
    return f"`{config}`" if config else "-"
