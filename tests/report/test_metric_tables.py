from acoustic_event_prediction.report.cells import Cell, Table
from acoustic_event_prediction.report.metric_tables import (
    event_table,
    frame_tables,
    headline_table,
    horizon_table,
    unit_sentences,
)
from tests.made import evaluation_params
from tests.report.made import measure


def cell(table: Table, row: str, column: str) -> Cell:
    (found,) = [line for line in table.rows if line.name == row]
    return found.cells[table.columns.index(column)]


def test_headline_has_values_with_intervals_of_each_split() -> None:
    metrics = measure()

    table = headline_table(metrics)

    assert table.columns == ("validation", "test")
    assert [row.name for row in table.rows] == [
        *("AUPRC (average precision)", "prevalence", "AUPRC / prevalence", "AUROC"),
        *("hit rate", "false alarms per hour", "event F1"),
        *("median lead time (s)", "mean lead time (s)"),
    ]
    # Test: 2 of 5 frames are positive, 1 of 2 events is announced, a frame before its onset.
    assert cell(table, "prevalence", "test").text == "0.400"
    assert cell(table, "prevalence", "test").interval == "0.333 to 0.500"
    hit_rate = cell(table, "hit rate", "test")
    assert hit_rate.text == "0.500"
    assert hit_rate.interval == "0 to 1.00"
    assert cell(table, "median lead time (s)", "test").text == "0.0800"


def test_resamples_without_a_value_are_counted() -> None:
    # Without a positive in one of two episodes, a resample may have none.
    frames = {
        "validation/a/x": ([0.9, 0.1], [1, 0]),
        "test/a/x": ([0.9, 0.1], [1, 0]),
        "test/b/x": ([0.4], [0]),
    }
    metrics = measure(frames)
    lost = metrics["test"]["intervals"]["auprc"]["num_undefined"]

    assert lost > 0
    shown = cell(headline_table(metrics), "AUPRC (average precision)", "test").interval
    assert shown == f"1.00 to 1.00; undefined in {lost} resamples"
    validation = cell(headline_table(metrics), "AUROC", "validation")
    assert validation.interval == "no interval: needs at least 2 units, got 1"


def test_a_split_of_one_class_is_undefined_with_its_reason() -> None:
    metrics = measure({**one_validation(), "test/a/x": ([0.9, 0.1], [0, 0])})

    scores, decided = frame_tables(metrics)

    auroc = cell(scores, "AUROC", "test")
    assert (auroc.text, auroc.interval) == ("undefined", None)
    assert auroc.reason == metrics["test"]["undefined"]["auroc"]
    assert cell(decided, "recall", "test, at 0.5").reason
    hit_rate = cell(event_table(metrics), "hit rate", "test")
    assert hit_rate.reason == "no event is reachable"
    assert cell(event_table(metrics), "within 0.5 s, recall", "test").reason == "there is no event"
    assert cell(event_table(metrics), "lead time (s), median", "test").reason == "no event is hit"


def one_validation() -> dict[str, tuple[list[float], list[int]]]:
    return {"validation/a/x": ([0.9, 0.1, 0.0], [1, 0, 0])}


def test_frames_are_shown_at_the_threshold_and_at_a_half() -> None:
    _, decided = frame_tables(measure())

    assert decided.columns == (
        *("validation, at the threshold", "validation, at 0.5"),
        *("test, at the threshold", "test, at 0.5"),
    )
    assert cell(decided, "threshold", "test, at the threshold").text == "0.800"
    assert cell(decided, "recall", "test, at the threshold").text == "0.500"
    assert cell(decided, "recall", "test, at 0.5").text == "1.00"
    assert cell(decided, "false positives", "test, at 0.5").text == "1"


def test_without_an_alarm_rule_every_event_metric_says_why() -> None:
    frames = {"test/a/x": ([0.9, 0.1], [1, 0])}
    metrics = measure(frames, evaluation_params(threshold=0.5))

    table = event_table(metrics)

    assert metrics["operating_point"]["alarms"] is None
    assert {found.reason for row in table.rows for found in row.cells} == {
        "validation has no partitions"
    }
    assert cell(headline_table(metrics), "mean lead time (s)", "test").reason


def test_one_horizon_has_no_table_and_several_have_one_row_each_and_split() -> None:
    metrics = measure()
    assert horizon_table(metrics, 1) is None
    none = {"operating_point": None, "undefined": "no positives"}
    others = {"10": none, "2": {key: metrics[key] for key in ("operating_point", "test")}}

    table = horizon_table(metrics | {"horizons": others}, 1)

    assert table is not None
    assert [row.name for row in table.rows] == [
        *("1 frame, 80 ms, validation", "1 frame, 80 ms, test"),
        *("2 frames, 160 ms, test", "10 frames, 800 ms"),
    ]
    assert {found.reason for found in table.rows[-1].cells} == {"no positives"}
    assert table.rows[2].cells == table.rows[1].cells


def test_units_are_named_and_counted() -> None:
    assert unit_sentences(measure())[1] == (
        "test: 2 units; a unit is one episode, drawn as a whole in each of 20 resamples"
    )
