"""The commands that measure an accelerator, with shapes for 80 GiB of memory."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Clips per step, and the network's published clip size.
NETWORKS: Mapping[str, tuple[int, str]] = {
    "r3d_18": (64, "16,112,112"),
    "r3d_50": (64, "16,112,112"),
    "r2plus1d_34": (8, "32,112,112"),
    "slowfast_50": (8, "32,224,224"),
    "x3d_m": (16, "16,224,224"),
    "ir_csn_101": (8, "32,224,224"),
    "mtnet_m": (8, "16,224,224"),
    "srtg_r3d_50": (16, "16,224,224"),
}
# Kernels in a CUDA graph do not name the operation that they belong to.
_NO_GRAPHS = "--xla_gpu_enable_command_buffer="
_TINY_SHAPE = ("--width=4", "--batch=2", "--clip=2,16,16")


@dataclass(frozen=True)
class Job:
    """A command that runs in its own process.

    Attributes:
      name: name in the report.
      folder: folder for the printed output.
      arguments: arguments of `vidjax benchmark`.
      flags: value of `XLA_FLAGS`.
    """

    name: str
    folder: Path
    arguments: tuple[str, ...]
    flags: str = ""

    @property
    def command(self) -> str:
        """The command as you would type it."""
        flags = f"XLA_FLAGS={self.flags} " if self.flags else ""
        return f"{flags}vidjax benchmark {shlex.join(self.arguments)}"


def jobs(
    folder: Path, parts: Sequence[str], networks: Sequence[str], *, tiny: bool = False
) -> list[Job]:
    """Returns the jobs of some parts.

    Args:
      folder: folder for all files.
      parts: keys of `PARTS`.
      networks: keys of `NETWORKS`; empty means all.
      tiny: use the smallest sizes, to test the jobs themselves.

    Raises:
      ValueError: a part or network is unknown.
    """
    _check("parts", parts, PARTS)
    _check("networks", networks, NETWORKS)
    chosen = networks or (["r3d_18"] if tiny else list(NETWORKS))
    return [job for part in parts for job in PARTS[part](folder, chosen, tiny)]


def _check(flag: str, given: Sequence[str], known: Mapping[str, object]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"--{flag}={name}: must be one of {', '.join(known)}")


def _machine(folder: Path, networks: Sequence[str], tiny: bool) -> list[Job]:
    repeats = ("--machine_rounds=1",) if tiny else ()
    return [Job("machine", folder, ("machine", *repeats))]


def _models(folder: Path, networks: Sequence[str], tiny: bool) -> list[Job]:
    return [_model(folder, name, tiny) for name in networks]


def _model(folder: Path, name: str, tiny: bool) -> Job:
    batch, clip = NETWORKS[name]
    small = (*_TINY_SHAPE, "--classes=3", "--rounds=1", "--machine_rounds=1")
    large = (
        f"--batch={batch}", f"--clip={clip}", "--dtypes=float32,bfloat16", "--rounds=10",
        "--steps=5", "--compiled", "--compile_seconds=300",
    )  # fmt: skip
    output = f"--output={folder / 'models' / name}"
    arguments = (f"--model={name}", "--passes=forward,train", *(small if tiny else large), output)
    return Job(f"models {name}", folder, ("models", *arguments))


def _kernels(folder: Path, networks: Sequence[str], tiny: bool) -> list[Job]:
    if tiny:
        return [Job("kernels", folder, ("kernels", "--only=5x1x1", "--kernel_rounds=1"))]
    measured = (
        f"--measure={folder / 'convolutions.csv'}", "--networks=x3d_m,ir_csn_101,r3d_18",
        "--batch=16", "--clip=16,112,112", "--dtype=bfloat16", "--kernel_rounds=20",
    )  # fmt: skip
    return [
        Job("kernels", folder, ("kernels", "--kernel_rounds=20")),
        Job("convolution algorithms", folder, ("kernels", *measured)),
    ]


def _methods(folder: Path, networks: Sequence[str], tiny: bool) -> list[Job]:
    small = ("--model=slowonly_34", "--depths=0,0,0,1", *_TINY_SHAPE, "--rounds=1", "--methods=RMS")
    large = (
        ("slowonly_50", "--clip=8,224,224", "--methods=RMS,RMS-GF,RandomDrop,ShakeDrop"),
        ("r3d_34_e1", "--clip=16,112,112", "--methods=SRTG,SRTG hard"),
        ("mtnet_s", "--clip=16,112,112", "--methods=strided"),
    )
    if tiny:
        return [Job("methods", folder, ("methods", *small))]
    common = ("--batch=16", "--dtype=bfloat16", "--rounds=20")
    return [
        Job(f"methods {name}", folder, ("methods", f"--model={name}", *common, *more))
        for name, *more in large
    ]


def _profile(folder: Path, networks: Sequence[str], tiny: bool) -> list[Job]:
    return [_profiled(folder, name, tiny) for name in networks]


def _profiled(folder: Path, name: str, tiny: bool) -> Job:
    batch, clip = NETWORKS[name]
    size = _TINY_SHAPE if tiny else (f"--batch={batch}", f"--clip={clip}", "--dtype=bfloat16")
    output = f"--output={folder / 'profile' / name}"
    return Job(f"profile {name}", folder, ("profile", f"--model={name}", *size, output), _NO_GRAPHS)


PARTS: Mapping[str, Callable[[Path, Sequence[str], bool], list[Job]]] = {
    "machine": _machine,
    "models": _models,
    "kernels": _kernels,
    "methods": _methods,
    "profile": _profile,
}
