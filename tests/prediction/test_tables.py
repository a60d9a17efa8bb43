import numpy as np
import pandas as pd

from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.prediction.tables import (
    alarm_tiers,
    alarms_table,
    recordings_text,
    scores_table,
)

SCORES = np.array([[0.1, 0.9, 0.8, 0.2, 0.7], [0.0, 0.0, 0.6, 0.0, 0.0]], np.float32)  # [U, T]
RULE = AlarmRule(0.5, 0.0, 0.08, 0.0)


def test_scores_keep_every_digit_as_text(tmp_path) -> None:
    horizons = np.stack([SCORES, SCORES / 3], axis=-1)  # [U, T, H]
    table = scores_table(("a", "b"), (5, 10), 10, horizons)
    assert list(table.columns) == ["frame", "time_seconds", "user", "score", "score_5", "score_10"]
    assert table["time_seconds"].tolist()[:3] == [0.0, 0.08, 0.16]
    table.to_csv(tmp_path / "scores.csv", index=False)
    read = pd.read_csv(tmp_path / "scores.csv")
    own = read[read["user"] == "b"]["score"].to_numpy(np.float32)
    assert np.array_equal(own, SCORES[1] / np.float32(3))


def test_one_horizon_has_one_score() -> None:
    table = scores_table(("mix",), (5,), 5, SCORES[:1, :, None])
    assert list(table.columns) == ["frame", "time_seconds", "user", "score"]


def test_alarms_are_by_onset_whoever_is_the_user() -> None:
    table = alarms_table(("a", "b"), SCORES, RULE, 0.4)
    assert table["user"].tolist() == ["a", "b", "a"]
    assert table["onset"].tolist() == [0.08, 0.16, 0.32]
    assert table["offset"].tolist() == [0.24, 0.24, 0.4]
    assert np.allclose(table["peak"], [0.9, 0.6, 0.7])


def test_an_alarm_begins_when_a_live_system_knows_it() -> None:
    table = alarms_table(("a",), SCORES[:1], AlarmRule(0.5, 0.0, 0.16, 0.0), 0.4)
    assert table[["onset", "offset"]].to_numpy().tolist() == [[0.16, 0.24]]


def test_no_alarm_is_an_empty_table_of_the_same_types() -> None:
    some, none = (alarms_table(("a",), SCORES[:1], AlarmRule(t, 0, 0, 0), 0.4) for t in (0.5, 1.0))
    assert none.empty
    assert none.dtypes.equals(some.dtypes)


def test_an_alarm_ends_with_the_recording_and_lasts_a_millisecond() -> None:
    scores = np.ones((1, 5), np.float32)
    assert alarms_table(("a",), scores, RULE, 0.33)["offset"].tolist() == [0.33]
    (alarm,) = alarms_table(("a",), scores[:, :1], RULE, 1 / 16_000).to_dict(orient="records")
    assert (alarm["onset"], alarm["offset"]) == (0.0, 0.001)


def test_tiers_end_with_the_recording() -> None:
    tiers = alarm_tiers(("a", "b"), alarms_table(("a", "b"), SCORES, RULE, 0.4), 0.36)
    assert list(tiers.tiers) == ["alarm a", "alarm b"]
    assert tiers.tiers["alarm a"].iloc[-1].tolist() == [0.32, 0.36, "0.700"]


def test_the_summary_says_what_became_of_each() -> None:
    summary = pd.DataFrame(
        {
            "recording": ["a", "broken"],
            "status": ["predicted", "failed"],
            "duration_seconds": [61.5, np.nan],
            "alarms": pd.array([3, None], dtype="Int64"),
            "missing": ["words", None],
            "problem": [None, "a.wav: the file is empty"],
        }
    )
    lines = recordings_text(summary).splitlines()
    assert lines[0] == "broken  failed     a.wav: the file is empty"
    assert "61.5 s" in lines[1]
    assert "3 alarms; without words" in lines[1]
    many = pd.concat([summary] * 30, ignore_index=True)
    assert recordings_text(many).splitlines()[-1] == "and 20 recordings more"


def test_hostile_names_stay_in_their_line() -> None:
    name = "a\x1b[31m\n" + "x" * 300
    summary = pd.DataFrame(
        {
            "recording": [name],
            "status": ["failed"],
            "duration_seconds": [np.nan],
            "alarms": pd.array([None], dtype="Int64"),
            "missing": [None],
            "problem": ["no\nsuch"],
        }
    )
    (line,) = recordings_text(summary).splitlines()
    assert line.isprintable()
    assert line.startswith("a\\x1b[31m\\n")
    assert len(line) < 120
