"""Progress of long steps: a live bar on a terminal, a log line now and then elsewhere."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger(__name__)

_LOG_EVERY_SECONDS = 10.0
Advance = Callable[[float], None]


@contextlib.contextmanager
def track(description: str, total: float, unit: str) -> Iterator[Advance]:
    """Show how far a step is, its rate and the remaining time.

    Args:
        description: what is done, e.g. `extracting features`.
        total: amount of work, in `unit`.
        unit: what is counted, e.g. `episodes` or `audio s`.

    Yields:
        A function that takes the amount of work done since its last call.
    """
    if sys.stderr.isatty():
        with _bar(unit) as bar:
            task = bar.add_task(description, total=total)
            yield lambda amount: bar.advance(task, amount)
    else:
        yield _log_lines(description, total, unit)


def _bar(unit: str) -> Progress:
    from rich.console import Console  # noqa: PLC0415

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _log_lines(description: str, total: float, unit: str) -> Advance:
    # Until the first piece of work is done, workers start and models load: no rate can be told.
    started = last = 0.0
    done = before = 0.0

    def advance(amount: float) -> None:
        nonlocal done, before, last, started
        done += amount
        now = time.monotonic()
        if not started:
            started = last = now
            before = done
        elif now - last >= _LOG_EVERY_SECONDS or (done >= total and last != started):
            last = now
            rate = (done - before) / (now - started)
            remaining = max(0.0, total - done) / rate if rate else float("inf")
            logger.info(
                "%s: %.0f of %.0f %s, %.1f %s/s, about %.0f s left",
                *(description, done, total, unit, rate, unit, remaining),
            )

    return advance
