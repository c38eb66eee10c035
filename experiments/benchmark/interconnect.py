"""Predicts the time of collectives from their bytes, for two levels of links at full speed.

Devices are grouped in islands: a TPU slice, or the GPUs of one machine. Links inside an island are
fast, and the network between islands is slower. An all-reduce of S bytes over a group of g devices,
with i of them in each of k = g / i islands, is a reduce-scatter inside the islands, an all-reduce
between them and an all-gather inside:

    time = 2 (i - 1)/i · S / link  +  2 (k - 1)/k · (S / i) / network

A single all-gather or reduce-scatter takes half of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vidjax.evaluation.collectives import Collective


@dataclass(frozen=True)
class Machine:
    """Devices and links, according to their makers.

    Attributes:
      tflops: peak bfloat16 rate of a device in 10^12 operations per second.
      link: GB/s that a device sends inside its island.
      island: number of devices in an island.
      network: GB/s that a device sends to other islands.
      source: origin of the numbers.
    """

    tflops: float
    link: float
    island: int
    network: float
    source: str


MACHINES = {
    # 1600 Gbit/s of ICI; 6.4 Tbit/s of network for a pod.
    "v5e": Machine(197, 200, 256, 3.125, "Google Cloud, TPU v5e: ICI, pods of 256"),
    # 4800 Gbit/s of ICI; 50 Gbit/s of network.
    "v5p": Machine(459, 600, 6144, 6.25, "Google Cloud, TPU v5p: ICI, slices of up to 6144"),
    # NVLink's 900 and 600 GB/s count both directions; each GPU has one network card.
    "h100": Machine(989, 450, 8, 50, "NVIDIA, DGX H100: NVLink, 400 Gbit/s per GPU"),
    "a100": Machine(312, 300, 8, 25, "NVIDIA, DGX A100: NVLink, 200 Gbit/s per GPU"),
}


@dataclass(frozen=True)
class Mesh:
    """A mesh with axes `data` and `fsdp`; neighbours along the last axis are adjacent devices."""

    data: int
    fsdp: int

    @property
    def size(self) -> int:
        """Number of devices."""
        return self.data * self.fsdp

    def grown(self, devices: int) -> Mesh:
        """Returns the mesh for more devices: `data` grows, or `fsdp` if `data` is 1."""
        if self.data == 1:
            return Mesh(1, devices)
        return Mesh(devices // self.fsdp, self.fsdp)

    def groups(self, machine: Machine) -> dict[str, tuple[int, int]]:
        """Returns, for each axis, the size of its groups, and how many of one share an island."""
        island = min(machine.island, self.size)
        inside = min(self.fsdp, island)
        across = min(self.data, max(1, island // self.fsdp))
        return {
            "all": (self.size, island),
            "fsdp": (self.fsdp, inside),
            "data": (self.data, across),
        }

    def axis(self, group: int) -> str:
        """Returns the axis whose groups have this number of devices.

        Raises:
          ValueError: no axis has that many devices.
        """
        for axis, size in (("all", self.size), ("fsdp", self.fsdp), ("data", self.data)):
            if group == size:
                return axis
        raise ValueError(f"no axis of {self} has groups of {group} devices")


def seconds(
    exchanges: Iterable[Collective], measured: Mesh, devices: int, machine: Machine
) -> float:
    """Predicts the time of a step's collectives on some devices, with the same clips on each.

    Args:
      exchanges: collectives of the program that was compiled for the mesh `measured`.
      measured: mesh of that program.
      devices: number of devices to predict for.
      machine: the devices and their links.
    """
    groups = measured.grown(devices).groups(machine)
    return sum(_seconds(one, *groups[measured.axis(one.group)], machine) for one in exchanges)


def _seconds(one: Collective, group: int, inside: int, machine: Machine) -> float:
    link, network = 1e9 * machine.link, 1e9 * machine.network
    if one.kind == "collective-permute":
        return one.times * one.size / (network if inside < group else link)
    islands = group / inside
    within = (inside - 1) / inside * one.size / link
    between = (islands - 1) / islands * one.size / inside / network
    rounds = 2 if one.kind == "all-reduce" else 1
    return one.times * rounds * (within + between)
