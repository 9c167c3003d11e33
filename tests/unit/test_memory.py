"""The search for cycles rests during a chunk, and is as it was afterwards, also after an error."""

from __future__ import annotations

import gc

import pytest

from tasks.warehouse.memory import without_cycle_search


def test_the_search_rests_and_is_on_again_after_an_error() -> None:
    with pytest.raises(ValueError, match="broken"), without_cycle_search():
        assert not gc.isenabled()
        raise ValueError("broken")
    assert gc.isenabled()


def test_what_was_off_stays_off() -> None:
    gc.disable()
    try:
        with without_cycle_search():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
