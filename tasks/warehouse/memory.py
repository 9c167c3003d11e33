"""Memory while a chunk is worked on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Objects go as soon as nothing names them; Python does not search for cycles among them meanwhile.

    A chunk of records is many thousand objects that live until its end, and holds no cycle: the search walks over all
    of them again and again, and takes as long as the work. Put it around one chunk, never around a whole run.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
