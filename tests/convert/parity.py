"""Logits of published PyTorch networks against ours; the table in docs/parity.md.

Example:
  python -m tests.convert.parity > docs/parity.md
"""

import platform
import sys
import zlib
from datetime import date
from importlib import metadata

import jax
import numpy as np

import vidjax
from tests import references
from tests.conftest import shared_folder
from vidjax.convert.loading import convert


def difference(shared, reference):
    """Returns the largest difference of the logits, in standard deviations of the reference's.

    The weights and the clip are made anew by the rule that the reference was made by; their
    checksums tell a wrong generator from a wrong network.
    """
    golden = references.golden(shared, reference)
    state = references.state_dict(references.key_list(shared, reference), float(golden["gain"]))
    assert references.state_checksum(state) == int(golden["state_checksum"])
    clip = references.clip(tuple(golden["input_shape"]), int(golden["input_seed"]))
    assert zlib.crc32(clip.tobytes()) == int(golden["input_checksum"])

    name, options = references.NETWORKS[reference]
    converted = convert(name, state)
    assert converted.options == options
    model = vidjax.create_model(name, num_classes=converted.num_classes, **converted.options)
    with jax.default_matmul_precision("highest"):
        run = jax.jit(lambda variables, x: model.apply(variables, x, train=False))
        logits = np.asarray(run(converted.variables, references.channels_last(clip)))
    expected = golden["logits64"]
    return float(np.abs(logits - expected).max() / expected.std())


def main():
    """Prints the table of all references that are there."""
    shared = shared_folder()
    if not (shared / "golden/zoo").is_dir():
        sys.exit(f"no references in {shared / 'golden/zoo'}; name their folder with VIDJAX_SHARED")
    print("# Parity with PyTorch\n")
    print(
        "Our networks compute the same logits as the published PyTorch code, up to rounding.\n"
        "The table shows the largest difference between the two, in standard deviations of\n"
        "PyTorch's logits. Both have the same weights and the same clips, of 4 to 24 frames at\n"
        "32 to 64 pixels. Our logits are in float32 at the highest matmul precision, and\n"
        "PyTorch's are in float64. The tests allow a difference of 1e-4. In the names of the\n"
        "references, mm- stands for MMAction2 and srtg- for the thesis' own code. Other names\n"
        "end with the project if that matters.\n"
    )
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "flax", "numpy"))
    print(f"Made by `python -m tests.convert.parity > docs/parity.md` on {date.today()},")
    print(f"{platform.machine()} CPU, {versions}.\n")
    print("| reference | ours | difference |\n| --- | --- | ---: |")
    for reference in references.goldens(shared):
        name, options = references.NETWORKS[reference]
        words = "".join(f", {key}={value!r}" for key, value in options.items())
        print(f"| {reference} | `{name}{words}` | {difference(shared, reference):.1e} |")


if __name__ == "__main__":
    main()
