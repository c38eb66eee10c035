import errno
import io
import json
import tarfile
from unittest import mock

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from vidjax.data import catalog
from vidjax.data.builders.cifar100 import CIFAR100
from vidjax.data.manifest import ManifestError
from vidjax.data.prepared import PreparedSplit

_FETCH = "tensorflow_datasets.core.download.DownloadManager.download_and_extract"


def _cifar(folder):
    """Packs ten training and two test images as the authors do: labels, then planes."""
    pictures = np.random.default_rng(0).integers(0, 256, (12, 3, 32, 32), np.uint8)
    packed = [bytes([k % 20, 99 - k]) + picture.tobytes() for k, picture in enumerate(pictures)]
    (folder / "cifar-100-binary").mkdir(parents=True)
    for name, content in (
        ("train.bin", b"".join(packed[:10])),
        ("test.bin", b"".join(packed[10:])),
        ("coarse_label_names.txt", "\n".join(f"coarse {k}" for k in range(20)).encode()),
        ("fine_label_names.txt", "\n".join(f"fine {k}" for k in range(100)).encode()),
    ):
        (folder / "cifar-100-binary" / name).write_bytes(content)
    return pictures.transpose(0, 2, 3, 1)


def test_cifar_images_are_stored_losslessly_as_videos_of_one_frame(tmp_path):
    pictures = _cifar(tmp_path / "extracted")
    request = catalog.Request(tmp_path / "data")
    with mock.patch(_FETCH, return_value=str(tmp_path / "extracted")):
        folder = catalog.prepare("cifar100", request)
    split = PreparedSplit(folder, "train")
    assert split.classes == tuple(f"fine {k}" for k in range(100))
    records = sorted((split[k] for k in range(len(split))), key=lambda record: -record.label)
    assert [record.label for record in records] == [99 - k for k in range(10)]
    for record, picture in zip(records, pictures, strict=False):
        np.testing.assert_array_equal(record.decode(np.array([0, 0])), [picture, picture])
        assert record.fps == 1.0
    assert len({record.name for record in records}) == 10
    assert len(PreparedSplit(folder, "test")) == 2
    assert split.manifest_digest.startswith("cifar100/")
    with pytest.raises(ValueError, match="no split 'val'"):
        PreparedSplit(folder, "val")
    assert catalog.prepare("cifar100", request) == folder
    sums = json.loads((folder / "sizes.json").read_text())["crc32"]["records"]
    assert sorted(map(len, sums.values())) == [8 * 2, 8 * 10]


def test_tfds_data_in_another_format_is_left_alone(tmp_path):
    _cifar(tmp_path / "extracted")
    with mock.patch(_FETCH, return_value=str(tmp_path / "extracted")):
        tfds.builder("cifar100", data_dir=str(tmp_path / "data")).download_and_prepare()
    with pytest.raises(
        ManifestError, match="contains cifar100 as tfrecord, a format without random access"
    ):
        CIFAR100.prepare(catalog.Request(tmp_path / "data"))


def test_without_a_network_cifar_names_the_file_to_download(tmp_path):
    with (
        mock.patch(_FETCH, side_effect=ConnectionError("no route")),
        pytest.raises(ManifestError, match="no route. .*set --manual_dir to a folder with\n.*gz"),
    ):
        CIFAR100.prepare(catalog.Request(tmp_path / "data"))


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x1f\x8b" + bytes(100)])
def test_a_wrong_archive_is_named_in_one_line(tmp_path, content):
    (tmp_path / "cifar-100-binary.tar.gz").write_bytes(content)
    request = catalog.Request(tmp_path / "data", manual_dir=str(tmp_path))
    with pytest.raises(
        ManifestError, match="differs from the published one.*cifar-100-bin"
    ) as caught:
        CIFAR100.prepare(request)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_not_blamed_on_the_archive(tmp_path):
    with (
        mock.patch(_FETCH, side_effect=OSError(errno.ENOSPC, "No space left on device")),
        pytest.raises(OSError, match="No space left"),
    ):
        CIFAR100.prepare(catalog.Request(tmp_path / "data"))


def test_image_data_sets_have_no_options(tmp_path):
    request = catalog.Request(tmp_path, options={"fine": True})
    with pytest.raises(ManifestError, match="data.options.fine is unknown to cifar100"):
        CIFAR100.prepare(request)


def _pack(stream, members):
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def _jpeg(value):
    return bytes(cv2.imencode(".jpg", np.full((20, 30, 3), value, np.uint8))[1])


def _imagenet(folder):
    """Packs two classes; the first three validation labels are the published ones."""
    folder.mkdir()
    classes = []
    for name in ("n01440764", "n01443537"):
        inner = io.BytesIO()
        _pack(inner, [(f"{name}_{k}.JPEG", _jpeg(60 * k)) for k in (1, 2)])
        classes.append((f"{name}.tar", inner.getvalue()))
    with (folder / "ILSVRC2012_img_train.tar").open("wb") as stream:
        _pack(stream, classes)
    for split in ("val", "test"):
        pictures = [(f"ILSVRC2012_{split}_{k:08}.JPEG", _jpeg(60 * k)) for k in (1, 2, 3)]
        with (folder / f"ILSVRC2012_img_{split}.tar").open("wb") as stream:
            _pack(stream, pictures)


def test_imagenet_validation_is_val_and_its_test_split_has_no_labels(tmp_path):
    _imagenet(tmp_path / "manual")
    request = catalog.Request(tmp_path / "data", manual_dir=str(tmp_path / "manual"))
    folder = catalog.prepare("imagenet2012", request)
    train, val = (
        [split[k] for k in range(len(split))]
        for split in (PreparedSplit(folder, "train"), PreparedSplit(folder, "val"))
    )
    assert sorted((record.name, record.label) for record in train) == [
        ("n01440764_1.JPEG", 0),
        ("n01440764_2.JPEG", 0),
        ("n01443537_1.JPEG", 1),
        ("n01443537_2.JPEG", 1),
    ]
    assert sorted((record.name[-6:], record.label) for record in val) == [
        ("1.JPEG", 65),
        ("2.JPEG", 970),
        ("3.JPEG", 230),
    ]
    for record in val:
        frames = record.decode(np.zeros(4, int))
        assert frames.shape == (4, 20, 30, 3)
        np.testing.assert_allclose(frames, 60 * int(record.name[-6]), atol=2)
    with pytest.raises(ValueError, match="split 'test' of imagenet2012/.* has no labels"):
        PreparedSplit(folder, "test")


@pytest.mark.parametrize("absent", ["train", "val"])
def test_an_incomplete_imagenet_is_refused(tmp_path, absent):
    _imagenet(tmp_path / "manual")
    (tmp_path / f"manual/ILSVRC2012_img_{absent}.tar").unlink()
    request = catalog.Request(tmp_path / "data", manual_dir=str(tmp_path / "manual"))
    with pytest.raises(ManifestError, match=f"contains no ILSVRC2012_img_{absent}.tar"):
        catalog.prepare("imagenet2012", request)


def test_an_archive_that_differs_from_the_published_one_is_refused_in_one_line(tmp_path):
    wrong = NonMatchingChecksumError("Artifact cifar-100-binary.tar.gz has wrong checksum.\nMore")
    with (
        mock.patch(_FETCH, side_effect=wrong),
        pytest.raises(
            ManifestError, match=r"differs from the published one.*Download it again"
        ) as told,
    ):
        catalog.prepare("cifar100", catalog.Request(tmp_path / "data"))
    assert len(str(told.value).splitlines()) == 1
    assert not list((tmp_path / "data").rglob("dataset_info.json"))
