"""Tests that garbage collection is paused in a context, and as before after it."""

import gc

import pytest

from vidjax.garbage_collection import collection_paused


def test_it_is_paused_in_the_context_alone():
    assert gc.isenabled()
    with collection_paused():
        assert not gc.isenabled()
        with collection_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_does_not_leave_it_off():
    with pytest.raises(ZeroDivisionError), collection_paused():
        _ = 1 / 0
    assert gc.isenabled()
