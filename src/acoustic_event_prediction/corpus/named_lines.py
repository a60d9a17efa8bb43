"""Lines that name the recording that they are about, of which those of one are taken."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from acoustic_event_prediction.corpus.findings import FileProblem, Findings
from acoustic_event_prediction.corpus.raw import match_names

T = TypeVar("T")

NAMING = (
    "name each file, or the second cell of each of its lines, as the audio is named; letters and "
    "digits must agree"
)
_MAX_NAMED = 3


def take_own(
    lines: Sequence[T],
    written_in: Callable[[T], str | None],
    name: str,
    findings: Findings,
    file: Path,
) -> list[T]:
    """Return the lines of one recording: all, unless some name it and others name others.

    Names are compared as `match_names` does.

    Args:
        lines: of the file that was found, or given, for the recording.
        written_in: gives the name that stands in a line; None or `<NA>` where there is none.
        name: of the recording.
        findings: take a warning if all lines name one other recording, and are taken as this one's;
            and if the file bears the recording's name, but has lines of others.
        file: for messages.

    Raises:
        FileProblem: the lines name several recordings, and not this one.
    """
    written = [text if (text := written_in(line)) != "<NA>" else None for line in lines]
    names = dict.fromkeys(text for text in written if text is not None)
    mine = match_names(names, {name})
    others = [text for text in names if text not in mine]
    if mine and others:
        own = [line for line, text in zip(lines, written, strict=True) if text in mine]
        if match_names([file.stem], {name}):
            findings.warn(
                file,
                f"{len(lines) - len(own)} lines are about {some_names(others)}, and were left out",
            )
        return own
    if len(others) > 1:
        raise FileProblem(f"is about {some_names(others)}, none of which is {name!r}", NAMING)
    if others:
        findings.warn(
            file,
            f"by its lines it is about {others[0]!r}; they are taken as those of {name!r}",
            "correct the lines, or give another file, if they are not",
        )
    return list(lines)


def some_names(names: Iterable[str]) -> str:
    """Return the first names, sorted, and how many more there are.

    >>> some_names(["b", "a"])
    "'a', 'b'"
    """
    names = sorted(names)
    hidden = len(names) - _MAX_NAMED
    shown = ", ".join(map(repr, names[:_MAX_NAMED]))
    return f"{shown} and {hidden} more" if hidden > 0 else shown
