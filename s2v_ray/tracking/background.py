"""A tracker that a training neither waits for nor fails with."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from s2v_ray.tracking.tracker import Tracker, without_credentials

_SECONDS_TO_FINISH = 60.0  # what is still to be sent may delay the end of a training so long

_Call = Callable[[Tracker], Any]


def in_background(
    name: str, start: Callable[[], Tracker], tell: Callable[[str], None], opened: Callable[[str], None], then: str = ""
) -> Tracker:
    """What `start` opens, in a thread of its own: nothing that is done with it waits, except to flush and to close.

    `opened` is told where the entry is. If the tracker fails, or does not answer in time, `tell` gets one sentence,
    which ends in `then`, and the rest is left out. Both are called on the caller's thread.
    """
    calls: SimpleQueue[tuple[_Call, threading.Event] | None] = SimpleQueue()
    failures: list[str] = []
    news: SimpleQueue[Callable[[], None]] = SimpleQueue()
    closed = threading.Event()

    def work() -> None:
        tracker: Tracker | None = None
        while item := calls.get():
            call, done = item
            try:
                if not failures:
                    if tracker is None:
                        tracker = start()
                        news.put(partial(opened, f"{name}: {tracker.where}"))
                    call(tracker)
            except Exception as error:  # whatever a library raises
                fail(one_line(error))
            done.set()

    def fail(reason: str) -> None:
        if failures:
            return  # it is told already
        failures.append(reason)
        news.put(partial(tell, f"{name} failed ({reason}): nothing more is sent there.{then}"))

    def tell_news() -> None:
        with suppress(Empty):
            while True:
                news.get_nowait()()

    def enqueue(call: _Call) -> threading.Event:
        tell_news()
        done = threading.Event()
        calls.put((call, done))
        return done

    def wait_for(call: _Call) -> None:
        done = enqueue(call)
        if not failures and not done.wait(_SECONDS_TO_FINISH):
            fail(f"no answer within {_SECONDS_TO_FINISH:.0f} seconds")
        tell_news()

    def close(outcome: str) -> None:
        if not closed.is_set():
            closed.set()
            wait_for(lambda tracker: tracker.close(outcome))
            calls.put(None)

    def later(method: str) -> Callable[..., None]:
        def call(*arguments: Any) -> None:
            enqueue(lambda tracker: getattr(tracker, method)(*arguments))

        return call

    # A daemon: a server that never answers must not keep the program from ending.
    threading.Thread(target=work, name=f"tracking by {name}", daemon=True).start()
    enqueue(lambda tracker: None)  # opens it
    return Tracker(
        where=name,
        history=later("history"),
        scalars=later("scalars"),
        sample=later("sample"),
        scores=later("scores"),
        files=later("files"),
        flush=lambda: wait_for(lambda tracker: tracker.flush()),
        close=close,
    )


def one_line(error: BaseException) -> str:
    """What an error says in its first line, or its name."""
    line = next(iter(str(error).strip().splitlines()), "").rstrip(".")
    return without_credentials(line) or type(error).__name__
