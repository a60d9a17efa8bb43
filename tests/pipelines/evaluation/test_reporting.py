import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.errors import ProjectError
from acoustic_event_prediction.params import EvaluationParams
from acoustic_event_prediction.pipelines.baselines.comparing import (
    report_baselines,
    tabulate_baselines,
)
from acoustic_event_prediction.pipelines.evaluation.nodes import (
    choose_operating_point,
    compute_metrics,
)
from acoustic_event_prediction.pipelines.evaluation.reporting import write_report
from tests.made import evaluation_params
from tests.pipelines.evaluation.made import (
    SUMMARY,
    TWO_SPLITS,
    Frames,
    first_columns,
    pool,
    target_events,
)
from tests.report.made import Page

RATE_HZ = 24_000
# A false alarm at 5.2 s, and a miss: its onset is at 10 s.
ERRORS: Frames = {
    "validation/b/x": ([0.9, 0.1, 0.0], [1, 0, 0]),
    "test/<b>d</b>/x": ([0.1] * 65 + [0.95] + [0.1] * 84, [0] * 124 + [1] + [0] * 25),
}


def report(frames: Frames, params: EvaluationParams | None = None, **changes: Any) -> str:
    params = params or evaluation_params()
    scores = pool(frames, params)
    point = choose_operating_point(scores, params)
    empty = pd.DataFrame({"onset": [], "offset": [], "text": [], "speaker": []})
    episodes = {name.rpartition("/")[0] for name in frames}
    values: dict[str, Any] = {
        "pooled_scores": scores,
        "operating_point": point,
        "metrics": compute_metrics(scores, point, params),
        "predictor": first_columns(),
        "label_summary": SUMMARY,
        "feature_summary": {},
        "target_events": target_events(frames),
        "words": dict.fromkeys(episodes, empty.copy),
        "audio": {},
        "params": params,
        "corpus": "mine",
        "baselines": None,
    }
    return write_report(**(values | changes))


def test_the_worst_errors_of_test_are_heard_at_their_time(tmp_path: Path) -> None:
    time = np.arange(12 * RATE_HZ) / RATE_HZ
    chirp = 0.5 * np.sin(2 * np.pi * (200 * time + 50 * time**2))
    sf.write(tmp_path / "d.wav", chirp, RATE_HZ)
    params = evaluation_params(
        report={"snippet_seconds": 2.0, "errors_per_episode": 1, "max_megabytes": 5.0}
    )

    page = Page(report(ERRORS, params, audio={"test/<b>d</b>": Recording(tmp_path / "d.wav")}))

    assert [entry["data-kind"] for entry in page.all("article")] == ["miss", "false_alarm"]
    assert "0:10.0 in test/<b>d</b>" in page.text
    assert "0:05.2 in test/<b>d</b>" in page.text
    for player, moment in zip(page.all("audio"), (10.0, 5.2), strict=True):
        data = str(player["src"]).partition(",")[2]
        sound, _ = sf.read(io.BytesIO(base64.b64decode(data)))
        first = round((moment - 1) * RATE_HZ)
        size = min(len(sound), 2 * RATE_HZ)
        assert size > 1.9 * RATE_HZ
        assert np.corrcoef(sound[:size], chirp[first : first + size])[0, 1] > 0.95


def test_without_test_the_errors_are_those_of_validation() -> None:
    frames = {"validation/b/x": ([0.9, 0.1, 0.8, 0.0], [1, 0, 0, 0])}
    page = Page(report(frames, evaluation_params(threshold=0.5)))

    assert "Errors of validation" in page.text
    assert all(name != "test" for name in re.findall(r"\b\w+\b", str(page.all("article"))))


def test_without_an_alarm_rule_the_report_says_why() -> None:
    frames = {"test/a/x": ([0.9, 0.1], [1, 0])}
    text = Page(report(frames, evaluation_params(threshold=0.5))).text
    assert "Errors of test undefined: validation has no partitions" in text


@pytest.mark.parametrize("changed", ["score", "label"])
def test_the_fingerprint_tells_other_scores_and_labels(changed: str) -> None:
    other = {"score": ([0.9, 0.6, 0.2], [0, 1, 0]), "label": ([0.9, 0.6, 0.1], [0, 0, 0])}[changed]

    def fingerprint(frames: Frames) -> str:
        page = Page(report(frames, evaluation_params(threshold=0.5)))
        return page.text.partition("Labels and scores ")[2].split()[0]

    assert len(fingerprint(TWO_SPLITS)) == 64
    assert fingerprint(TWO_SPLITS) == fingerprint(dict(reversed(TWO_SPLITS.items())))
    assert fingerprint(TWO_SPLITS) != fingerprint(dict(TWO_SPLITS) | {"test/d/x": other})


def test_baselines_are_shown_beside_the_scores_that_they_were_measured_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    params = evaluation_params()
    scores = pool(TWO_SPLITS, params)
    metrics = compute_metrics(scores, choose_operating_point(scores, params), params)
    table = tabulate_baselines(metrics)
    same = report_baselines(table, scores, params)

    assert "predictor, test" in Page(report(TWO_SPLITS, params, baselines=same)).text
    ignoring = report_baselines(
        table, scores, evaluation_params(ignore={"inside_event": True, "tail_seconds": 0.0})
    )
    for other in ({**same, "fingerprint": "0"}, ignoring):
        caplog.clear()
        text = Page(report(TWO_SPLITS, params, baselines=other)).text
        assert "This run has no baselines" in text
        assert "measured beside other scores or with other evaluation settings" in caplog.text


@pytest.mark.parametrize("damaged", [[], {"rows": "<script>"}, {"fingerprint": 1, "rows": [{}]}])
def test_damaged_results_of_baselines_are_refused_with_the_remedy(damaged: object) -> None:
    with pytest.raises(ProjectError, match=r"baselines\.json.*delete the file"):
        report(TWO_SPLITS, evaluation_params(), baselines=damaged)


def test_the_page_says_which_alarm_rule_was_chosen() -> None:
    fixed = evaluation_params().alarms.model_dump() | {"threshold": 0.5}
    fixed |= {"merge_gap_seconds": [0.16], "refractory_seconds": [2.4]}

    tuned = Page(report(TWO_SPLITS)).text
    text = Page(report(TWO_SPLITS, evaluation_params(alarms=fixed))).text

    assert "best on validation for f1" in tuned
    assert (
        "Alarms threshold 0.500, gaps up to 0.16 s joined, at least 0.08 s long, "
        "then none for 2.4 s; as set"
    ) in text
