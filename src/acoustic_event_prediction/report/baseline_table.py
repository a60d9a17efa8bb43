"""The predictor beside simpler systems, as a table."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from acoustic_event_prediction.report.cells import (
    Cell,
    Row,
    Table,
    interval_text,
    number,
    undefined_cell,
)


class BaselineRow(TypedDict):
    """One system on one split; None is undefined, and `undefined` says why by the key's name.

    Attributes:
        name: of the system.
        split: validation or test.
        auprc_difference: AUPRC of the predictor minus that of the system, on the same frames.
        undefined: reasons.
    """

    name: str
    split: str
    auprc: float | None
    prevalence: float | None
    auprc_over_prevalence: float | None
    auprc_over_prevalence_low: float | None
    auprc_over_prevalence_high: float | None
    auroc: float | None
    hit_rate: float | None
    false_alarms_per_hour: float | None
    auprc_difference: float | None
    auprc_difference_low: float | None
    auprc_difference_high: float | None
    undefined: dict[str, str]


class Baselines(TypedDict):
    """What the baselines pipeline has found.

    Attributes:
        fingerprint: of the predictor's scores that they were measured beside.
        evaluation: the settings that they were measured with; see `measured_with`.
        rows: the predictor first.
    """

    fingerprint: str
    evaluation: dict[str, Any]
    rows: list[BaselineRow]


_COLUMNS = {
    "auprc": "AUPRC",
    "prevalence": "prevalence",
    "auprc_over_prevalence": "AUPRC / prevalence",
    "auroc": "AUROC",
    "hit_rate": "hit rate",
    "false_alarms_per_hour": "false alarms per hour",
    "auprc_difference": "AUPRC of the predictor minus its own",
}


def baseline_table(rows: Sequence[BaselineRow]) -> Table:
    """Return the table of the systems, in their order."""
    return Table(
        "Simpler systems on the same frames, with 95 % intervals",
        "system",
        tuple(_COLUMNS.values()),
        tuple(
            Row(f"{row['name']}, {row['split']}", tuple(_cell(row, name) for name in _COLUMNS))
            for row in rows
        ),
    )


def _cell(row: BaselineRow, name: str) -> Cell:
    values: dict[str, object] = dict(row)
    value, low, high = (values.get(f"{name}{end}") for end in ("", "_low", "_high"))
    if not isinstance(value, int | float):
        return undefined_cell(row["undefined"].get(name))
    if f"{name}_low" not in values:
        return Cell(number(value))
    interval = {"low": low, "high": high, "num_undefined": 0}
    return Cell(number(value), interval_text(None if low is None or high is None else interval))
