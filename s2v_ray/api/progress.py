"""Progress of a function: a bar in a notebook or a terminal, a line every ten seconds elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

Show = Callable[[float, str], None]  # called with the part done, 0..1, and a text

_SECONDS_BETWEEN_LINES = 10.0
_BAR = "{desc} {percentage:3.0f} %|{bar}| {elapsed}{postfix}"


@contextmanager
def progress_bar(label: str, *, shown: bool, stays: bool = True) -> Iterator[Show]:
    """Yields what shows progress on stderr, if it is `shown` at all; a bar that doesn't stay is gone at the end."""
    if not shown:
        yield lambda done, text: None
    elif sys.stderr.isatty() or "ipykernel" in sys.modules:
        with tqdm(total=1.0, desc=label, bar_format=_BAR, leave=stays) as bar:

            def draw(done: float, text: str) -> None:
                bar.set_postfix_str(text, refresh=False)
                bar.update(done - bar.n)

            yield draw
    else:
        yield _lines(label)


def _lines(label: str) -> Show:
    last_line = time.monotonic()

    def show(done: float, text: str) -> None:
        nonlocal last_line
        if time.monotonic() - last_line >= _SECONDS_BETWEEN_LINES:
            last_line = time.monotonic()
            print(f"{label} {100 * done:3.0f} %  {text}", file=sys.stderr, flush=True)

    return show
