"""A small evaluation and the page about it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pandas as pd

from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.evaluation.nodes import (
    choose_operating_point,
    compute_metrics,
)
from acoustic_event_prediction.report.browser import BrowserSettings, ErrorEntry, Phrase
from acoustic_event_prediction.report.page import ErrorSection, RunFacts, render_page
from acoustic_event_prediction.report.snippets import Snippet
from acoustic_event_prediction.report.strips import Span, Strip
from tests.made import evaluation_params, make_predictor
from tests.pipelines.evaluation.made import TWO_SPLITS, Frames, pool

VOID = {"meta", "img", "br", "rect", "line", "path", "link", "input"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text; tags must be closed in order.

    Attributes:
        tags: name and attributes of each tag.
        text: all text but that of style and script, with single blanks.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self._texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open
        self.text = " ".join(" ".join(self._texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self._texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all tags of a name."""
        return [attributes for name, attributes in self.tags if name == tag]


def measure(frames: Frames = TWO_SPLITS, params: EvaluationParams | None = None) -> dict[str, Any]:
    """Return what `metrics.json` would hold."""
    params, scores = params or evaluation_params(), pool(frames, params)
    return dict(compute_metrics(scores, choose_operating_point(scores, params), params))


def entry(**changes: Any) -> ErrorEntry:
    """A miss with sound."""
    values: dict[str, Any] = {
        "kind": "miss",
        "episode_id": "test/show_1",
        "user": "A",
        "speaker": "B",
        "time": "1:03.2",
        "start": "1:00.2",
        "end": "1:06.2",
        "offset": "3.00",
        "score": "0.125",
        "place": 0,
        "phrases": (Phrase("A", "so I said", False), Phrase("A", "and then", True)),
        "strip": Strip("M0,0H8", 25.0, (Span(1.0, 2.0),), (Span(0.5, 0.5),), (4.0,)),
        "snippet": Snippet("data:audio/mpeg;base64,AAAA", None),
    }
    return ErrorEntry(**(values | changes))


def section(*entries: ErrorEntry, **changes: Any) -> ErrorSection:
    """The error browser of test."""
    values: dict[str, Any] = {
        "split": "test",
        "threshold": 0.5,
        "undefined": None,
        "entries": entries,
        "settings": BrowserSettings(6.0, 3, 20.0),
    }
    return ErrorSection(**(values | changes))


def render(
    metrics: Mapping[str, Any] | None = None, errors: ErrorSection | None = None, **changes: Any
) -> str:
    """Return the page of a run on the corpus `mine`."""
    facts: dict[str, Any] = {
        "corpus": changes.pop("corpus", "mine"),
        "labeling": {"event": "Laughter", "target": "any", "shift_frames": 1},
        "features": {"checkpoint": {"sha256": {"moshi_weights": "0123456789abcdef"}}},
        "evaluation": evaluation_params().model_dump(mode="json"),
        "fingerprint": "feed",
        "written": datetime(2026, 11, 25, 13, 5, tzinfo=UTC),
    }
    figures = changes.pop("figures", {"roc_curve": b"\x89PNG", "score_track": b"\x89PNG"})
    return render_page(
        RunFacts(**facts),
        make_predictor().header,
        metrics or measure(),
        figures,
        errors or section(entry()),
        **changes,
    )


def words(*rows: tuple[float, float, str, str | None]) -> pd.DataFrame:
    """A table of words: onset, offset, text, speaker."""
    return pd.DataFrame(rows, columns=["onset", "offset", "text", "speaker"])
