"""Events from a Praat TextGrid, in its long or short text format.

Praat's own rule is followed: only free-standing numbers, texts in double quotes and flags in angle
brackets count, whatever stands between them. praatio, which writes our TextGrids, reads a file that
was cut short as a shorter one, drops the sign of negative times and knows no `1e-05`.

Source: "TextGrid file formats" of Praat's manual,
https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.tables import Annotation

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'
    r"|(?<![^\s=])<(?P<flag>\w+)>"
    r"|(?<![^\s=])(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?=\s|$)"
    r"|![^\n]*"
)
_SAVE_AGAIN = "save it again in Praat as a text file"


def read_textgrid(path: Path, *, label_is: Literal["text", "tier"]) -> list[Annotation]:
    """Return the intervals and points that have a text; a point is an event of no length.

    Args:
        path: of the file, UTF-8 or UTF-16.
        label_is: whether an event's label is its text, or the name of its tier.

    Returns:
        Events by tier; `label_full` is the name of the tier.

    Raises:
        FileProblem: no TextGrid, or one that is cut short.
    """
    tokens = _Tokens(_decode(path))
    tokens.text("the file type")
    if (kind := tokens.text("the object class")) != "TextGrid":
        raise FileProblem(
            f"holds {kind!r}, no TextGrid in a text format",
            "save the TextGrid as a text file, long or short",
        )
    tokens.number("xmin")
    tokens.number("xmax")
    if tokens.flag() != "exists":
        return []
    events = []
    for index in range(tokens.count("the number of tiers")):
        tier_kind = tokens.text(f"the class of tier {index + 1}")
        tier = tokens.text(f"the name of tier {index + 1}")
        tokens.number(f"xmin of tier {tier!r}")
        tokens.number(f"xmax of tier {tier!r}")
        for place in range(tokens.count(f"the size of tier {tier!r}")):
            where = f"entry {place + 1} of tier {tier!r}"
            onset = tokens.number(f"the time of {where}")
            offset = tokens.number(f"the end of {where}") if tier_kind == "IntervalTier" else onset
            line = tokens.line
            if text := tokens.text(f"the text of {where}").strip():
                label = text if label_is == "text" else tier
                events.append(Annotation(line, None, label, tier, onset, offset))
    tokens.end()
    return events


def _decode(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith(b"ooBinaryFile"):
        raise FileProblem("is a binary TextGrid", _SAVE_AGAIN)
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise FileProblem(f"is no text in UTF-8 or UTF-16 ({error})", _SAVE_AGAIN) from error


class _Tokens:
    """Hands out what counts in a file, and says what was expected where something else stands.

    Args:
        content: of the file.

    Attributes:
        line: number of the line that the last token is on, from 1.
    """

    def __init__(self, content: str) -> None:
        self._content = content
        self._matches: Iterator[re.Match[str]] = (
            match for match in _TOKEN.finditer(content) if match.lastgroup is not None
        )
        self._position = 0
        self.line = 1

    def text(self, what: str) -> str:
        return self._next("text", what).replace('""', '"')

    def number(self, what: str) -> float:
        return float(self._next("number", what))

    def count(self, what: str) -> int:
        number = self.number(what)
        if not number.is_integer() or number < 0:
            raise FileProblem(f"line {self.line}: {what} is {number}", _SAVE_AGAIN)
        return int(number)

    def flag(self) -> str:
        return self._next("flag", "<exists>")

    def end(self) -> None:
        if (match := next(self._matches, None)) is not None:
            self._move(match.start())
            raise FileProblem(f"line {self.line}: holds more than its sizes say", _SAVE_AGAIN)

    def _next(self, kind: str, what: str) -> str:
        match = next(self._matches, None)
        if match is None:
            raise FileProblem(f"is no TextGrid, or cut short: it ends before {what}", _SAVE_AGAIN)
        self._move(match.start())
        if match.lastgroup != kind:
            raise FileProblem(
                f"line {self.line}: {match.group()[:40]} stands where {what} should", _SAVE_AGAIN
            )
        return match[kind]

    def _move(self, position: int) -> None:
        self.line += self._content.count("\n", self._position, position)
        self._position = position
