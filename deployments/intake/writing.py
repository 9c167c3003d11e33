"""The one thread of the service that writes: what came while it was busy is carried out together.

Persons are written by one transaction at a time anyway. An update that comes alone is carried out at once, by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue

from tasks.patrons.instant_many import MOST, Answer
from tasks.patrons.receipts import Asked, Receipt


class Writer:
    """Takes updates in the order in which they come; `submit` gives a future of the receipt."""

    def __init__(self, carry_out: Callable[[Sequence[Asked]], list[Answer]]) -> None:
        self._carry_out = carry_out
        self._queue: SimpleQueue[tuple[Asked, Future[Receipt]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="intake writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Carry out what has come, and end."""
        self._queue.put(None)
        self._thread.join()

    def submit(self, asked: Asked) -> Future[Receipt]:
        """Have an update carried out."""
        future: Future[Receipt] = Future()
        self._queue.put((asked, future))
        return future

    def _run(self) -> None:
        is_over = False
        while not is_over:
            some = [self._queue.get()]
            while len(some) < MOST and some[-1] is not None:
                try:
                    some.append(self._queue.get_nowait())
                except Empty:
                    break
            is_over = some[-1] is None
            self._answer([each for each in some if each is not None])

    def _answer(self, some: Sequence[tuple[Asked, Future[Receipt]]]) -> None:
        if not some:
            return
        answers: Sequence[Answer]
        try:
            answers = self._carry_out([asked for asked, _ in some])
        except Exception as error:
            answers = [error] * len(some)
        for (_, future), answer in zip(some, answers, strict=True):
            if isinstance(answer, Receipt):
                future.set_result(answer)
            else:
                future.set_exception(answer)
