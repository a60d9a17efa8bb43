import json

import pytest

from acoustic_event_prediction.pipelines.causality_check.report import (
    build_report,
    build_table,
    lead_milliseconds,
    summarise_setting,
)
from tests.pipelines.causality_check.made import measurement


@pytest.mark.parametrize(
    ("delay", "shift_frames", "lead"),
    [
        # Feature s - 1 has heard up to the start of frame s - 1, 80 ms before frame s.
        (1, 1, (80, 80)),
        (1, 5, (80, 400)),
        (2, 5, (160, 480)),
        # It has heard frame s - 1: it ends where frame s starts.
        (0, 5, (0, 320)),
        (-4, 5, (-320, 0)),
    ],
)
def test_the_lead_is_from_the_last_thing_known_to_the_start_of_the_onsets_frame(
    delay: int, shift_frames: int, lead: tuple[int, int]
) -> None:
    assert lead_milliseconds(delay, shift_frames) == lead


def test_the_lead_is_that_of_the_smallest_delay() -> None:
    row = summarise_setting([measurement()], "words", "words", shift_frames=5)
    assert row == {
        "text": "words",
        "is_current": True,
        "num_points": 3,
        "audio_smallest_delay": 1,
        "audio_median_delay": 1,
        "audio_num_without_effect": 0,
        "words_smallest_delay": -4,
        "words_median_delay": 1,  # of -4 and 6: the third has no effect
        "words_num_without_effect": 1,
        "both_smallest_delay": -4,
        "both_median_delay": 1,
        "both_num_without_effect": 0,
        "lead_milliseconds_nearest": -320,
        "lead_milliseconds_farthest": 0,
    }


def test_points_of_all_assignments_count() -> None:
    early = measurement().delays["none"] | {"audio": [1, 0, 2]}
    other = measurement(delays=measurement().delays | {"none": early})
    row = summarise_setting([measurement(), other], "none", "words", shift_frames=1)
    assert (row["is_current"], row["num_points"]) == (False, 6)
    assert (row["audio_smallest_delay"], row["audio_median_delay"]) == (0, 1)
    assert row["lead_milliseconds_nearest"] == 0


def test_what_has_no_effect_is_no_pass() -> None:
    dead = {probe: [None] * 3 for probe in ("audio", "words", "both")}
    measured = measurement(delays=measurement().delays | {"none": dead})
    report = build_report([measured], current="none", shift_frames=5, ran_with={})
    row = report["settings"][2]
    assert row["audio_smallest_delay"] is row["audio_median_delay"] is None
    assert row["audio_num_without_effect"] == 3
    assert row["lead_milliseconds_nearest"] is row["lead_milliseconds_farthest"] is None
    assert row["headline"].endswith("no lead: nothing had an effect")


def test_the_report_says_what_was_run_and_where() -> None:
    report = build_report(
        [measurement()], current="words", shift_frames=5, ran_with={"checkpoint": {"sha256": "1"}}
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["checkpoint"] == {"sha256": "1"}
    assert report["tolerance"] == 0
    (assignment,) = report["assignments"]
    assert assignment["assignment_id"] == "train/x/A"
    assert assignment["points"][1]["seconds"] == 1.6
    assert assignment["points"][1]["in_word"]
    assert assignment["points"][1]["delays"]["words"] == {"audio": 2, "words": -4, "both": -4}


def test_the_tolerance_is_four_times_the_largest_rounding() -> None:
    measured = [measurement(rounding=0.25), measurement(rounding=0.5), measurement()]
    report = build_report(measured, current="words", shift_frames=5, ran_with={})
    assert report["tolerance"] == 2


def test_each_setting_has_one_line() -> None:
    report = build_report([measurement()], current="words", shift_frames=5, ran_with={})
    assert [row["headline"] for row in report["settings"]] == [
        "text words (this run's): audio +80 ms, words -320 ms; true lead -320 to +0 ms",
        "text words_at_end: audio +80 ms, words +80 ms; true lead +80 to +400 ms",
        "text none: audio +80 ms, words no effect; true lead +80 to +400 ms",
    ]


def test_the_one_lead_of_a_horizon_of_one_frame_is_said_once() -> None:
    report = build_report([measurement()], current="none", shift_frames=1, ran_with={})
    assert report["settings"][2]["headline"].endswith("words no effect; true lead +80 ms")


def test_the_table_has_a_row_per_setting_and_empty_cells_for_no_effect() -> None:
    table = build_table(build_report([measurement()], current="words", shift_frames=5, ran_with={}))
    assert list(table["text"]) == ["words", "words_at_end", "none"]
    lines = table.to_csv(index=False).splitlines()
    assert lines[3] == "none,False,3,1,1,0,,,3,1,1,0,80,400"
