import numpy as np
import pytest

from vidjax.data.decoded_cache import DecodedCache

JPEGS = [bytes([number]) * (20 + number) for number in range(5)]


@pytest.fixture
def cache(tmp_path):
    cache = DecodedCache(tmp_path / "cache")
    cache.save("a/v.mp4", JPEGS, 12.5)
    return cache


def only_file(cache):
    (file,) = cache.folder.glob("*/*")
    return file


def test_what_is_saved_is_loaded(cache):
    assert cache.load("a/v.mp4") == (JPEGS, 12.5)
    assert cache.load("other") is None


def test_a_truncated_file_is_detected(cache):
    file = only_file(cache)
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        assert cache.load("a/v.mp4") is None


def test_every_flipped_bit_is_detected(cache):
    file = only_file(cache)
    whole = file.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.choice(len(whole), 400, replace=False):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << rng.integers(8)
        file.write_bytes(flipped)
        assert cache.load("a/v.mp4") is None


def test_a_failed_write_leaves_nothing_and_names_the_file(cache):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    try:
        with pytest.raises(OSError, match=r"File too large: '.*\.npz'"):
            cache.save("b.mp4", [bytes(2**17)], 1.0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(list(cache.folder.rglob("*.*"))) == 1
