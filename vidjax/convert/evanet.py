"""google-research/evanet: TensorFlow variable names of the two published networks."""

from collections.abc import Iterator

from vidjax.convert.key_mapping import Layout
from vidjax.models.evanet import GENOMES, Genome

_TOP = "VidIncRes"


def _rules(genome: Genome) -> Iterator[tuple[str, str]]:
    yield f"{_TOP}/Conv2d_1a_7x7", "stem_conv1"
    yield f"{_TOP}/BatchNorm", "stem_norm1"
    yield f"{_TOP}/Conv2d_1a_7x7s", "stem_conv2"
    yield f"{_TOP}/BatchNorm_1", "stem_norm2"
    yield f"{_TOP}/Logits/Conv", "head"
    for stage, (blocks, branches) in enumerate(genome.stages, start=1):
        inner = f"res_block_{stage + 1}"
        for index in range(blocks):
            block = f"Block_{index}" if index else "BaseBlock"
            torch, ours = f"{_TOP}/{inner}/{block}/{inner}", f"layer{stage}_block{index + 1}"
            yield f"{torch}/shortcut", f"{ours}/shortcut"
            yield f"{torch}/BatchNorm", f"{ours}/shortcut_norm"
            for number, code in enumerate(branches):
                yield from _branch(f"{torch}/Branch_{number}", f"{ours}/branch{number}", code)


def _branch(torch: str, ours: str, code: str) -> Iterator[tuple[str, str]]:
    if code[0] in "SP":
        letter = "a" if code == "S" else "b"
        yield f"{torch}/Conv2d_0{letter}_1x1", f"{ours}/conv1"
        yield f"{torch}/BatchNorm", f"{ours}/norm1"
        return
    yield f"{torch}/Conv2d_0a_1x1", f"{ours}/reduce"
    yield f"{torch}/BatchNorm", f"{ours}/reduce_norm"
    norms = 0
    for number, (letter, part) in enumerate(zip("bc", code.split("+"), strict=False), start=1):
        conv, here = f"{torch}/Conv2d_0{letter}_3x3", f"{ours}/conv{number}"
        if part[0] == "D":
            norms += 1
            yield conv, f"{here}/time"
            yield f"{torch}/BatchNorm_{norms}", f"{here}/norm"
            yield f"{conv}s", f"{here}/space"
        else:
            yield conv, here
            yield f"{conv}/soft-attn", f"{here}:attention"
            yield f"{conv}/tgm-f/tgm-f/tgm-center", f"{here}:centre"
            yield f"{conv}/tgm-f/tgm-f/tgm-gamma", f"{here}:gamma"
        norms += 1
        yield f"{torch}/BatchNorm_{norms}", f"{ours}/norm{number}"


LAYOUTS = tuple(
    Layout(f"EvaNet, {name}", tuple(_rules(genome)), {name: ({},)})
    for name, genome in GENOMES.items()
)
