"""A model on paper of what the bytes of exchanges take: links of two speeds, used fully.

Devices come in islands, a TPU slice or the GPUs of a machine, with fast links inside and a slower
network between them. A sum over a group of g devices, i of them in each island and k = g / i
islands, is scattered inside, summed between the islands and gathered inside:

    time = 2 (i - 1)/i · S / link  +  2 (k - 1)/k · (S / i) / network

Gathering and scattering take half of that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vidjax.evaluation.collectives import Collective


@dataclass(frozen=True)
class Machine:
    """Devices and their links, by their makers' numbers.

    Attributes:
      tflops: peak bfloat16 of a device, 10^12 operations a second.
      link: GB/s that a device sends inside its island.
      island: devices of an island.
      network: GB/s that a device sends to other islands.
      source: where the numbers are from.
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
    # NVLink's 900 and 600 GB/s are of both directions; one network card a GPU.
    "h100": Machine(989, 450, 8, 50, "NVIDIA, DGX H100: NVLink, 400 Gbit/s a GPU"),
    "a100": Machine(312, 300, 8, 25, "NVIDIA, DGX A100: NVLink, 200 Gbit/s a GPU"),
}


@dataclass(frozen=True)
class Mesh:
    """Devices along the axes `data` and `fsdp`, neighbours along the last one."""

    data: int
    fsdp: int

    @property
    def size(self) -> int:
        """All devices."""
        return self.data * self.fsdp

    def grown(self, devices: int) -> Mesh:
        """With so many devices; the axis grows that is not 1, `data` where both are not."""
        if self.data == 1:
            return Mesh(1, devices)
        return Mesh(devices // self.fsdp, self.fsdp)

    def groups(self, machine: Machine) -> dict[str, tuple[int, int]]:
        """Members of a group along each axis, and how many of them lie in one island."""
        island = min(machine.island, self.size)
        inside = min(self.fsdp, island)
        across = min(self.data, max(1, island // self.fsdp))
        return {
            "all": (self.size, island),
            "fsdp": (self.fsdp, inside),
            "data": (self.data, across),
        }

    def axis(self, group: int) -> str:
        """The axis that groups of so many devices lie along.

        Raises:
          ValueError: no axis has that many devices.
        """
        for axis, size in (("all", self.size), ("fsdp", self.fsdp), ("data", self.data)):
            if group == size:
                return axis
        raise ValueError(f"groups of {group} devices do not lie along an axis of {self}")


def seconds(
    exchanges: Iterable[Collective], measured: Mesh, devices: int, machine: Machine
) -> float:
    """Time of a step's exchanges on so many devices, each with the same share of clips.

    Args:
      exchanges: of the program compiled for the mesh `measured`.
      measured: that mesh.
      devices: to predict for.
      machine: their links.
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
