"""Work in a second process: the same items in the same order, errors as they were, no process left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import psutil
import pytest

from schemas.errors import DeliveryRejectedError, SamkatError
from tasks.second_process import in_second_process


def count_to(last: int) -> Iterator[tuple[int, int]]:
    """(number, id of the process that counted)"""
    for number in range(1, last + 1):
        print("what a library prints must not get into the pipe")
        yield number, os.getpid()


def reject_after(number: int) -> Iterator[int]:
    yield from range(number)
    raise DeliveryRejectedError("a zip file, not MARC", file="day.mrc", position=4)


def die_after(number: int) -> Iterator[int]:
    yield from range(number)
    os._exit(9)


def never_end() -> Iterator[int]:
    yield os.getpid()
    while True:
        yield 0


def test_items_come_in_order_from_another_process() -> None:
    items = list(in_second_process(count_to, 50))
    assert [number for number, _process in items] == list(range(1, 51))
    assert {process for _number, process in items} != {os.getpid()}


def test_an_error_is_raised_here_with_its_place_after_the_items_before_it() -> None:
    items = in_second_process(reject_after, 3)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(DeliveryRejectedError, match="a zip file, not MARC") as caught:
        next(items)
    assert (caught.value.file, caught.value.position) == ("day.mrc", 4)


def test_a_process_that_dies_is_an_error_that_says_so() -> None:
    items = in_second_process(die_after, 1)
    assert next(items) == 0
    with pytest.raises(SamkatError, match="ended unexpectedly"):
        next(items)


def test_closing_the_iterator_ends_the_process() -> None:
    items = in_second_process(never_end)
    process = next(items)
    assert psutil.pid_exists(process)
    items.close()
    deadline = time.monotonic() + 10
    while psutil.pid_exists(process) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not psutil.pid_exists(process)
