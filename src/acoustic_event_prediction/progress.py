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
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

logger = logging.getLogger(__name__)

_LOG_EVERY_SECONDS = 10.0
_MINUTE = 60
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
        _RateColumn(unit),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class _RateColumn(ProgressColumn):
    """Units per second, lately."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} {self._unit}/s")


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
                "%s: %.0f of %.0f %s, %.1f %s/s, about %s left",
                *(description, done, total, unit, rate, unit, _duration(remaining)),
            )

    return advance


def _duration(seconds: float) -> str:
    """Return a time as it is said: `45 s`, `12 min`, `3 h 20 min`.

    >>> _duration(45.4), _duration(719), _duration(12_010)
    ('45 s', '12 min', '3 h 20 min')
    """
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE)
    return (
        f"{minutes} min" if minutes < _MINUTE else f"{minutes // _MINUTE} h {minutes % _MINUTE} min"
    )
