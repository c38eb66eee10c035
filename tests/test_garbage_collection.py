"""Tests that garbage collection is paused in a context and restored afterwards."""

import gc

import pytest

from vidjax.garbage_collection import collection_paused


def test_it_is_paused_only_in_the_context():
    assert gc.isenabled()
    with collection_paused():
        assert not gc.isenabled()
        with collection_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), collection_paused():
        _ = 1 / 0
    assert gc.isenabled()
