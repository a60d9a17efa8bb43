"""Settings that are read from text, and texts that a predictor takes over."""

from typing import Any

import pytest
from pydantic import ValidationError

from acoustic_event_prediction.params import (
    CheckpointParams,
    HorizonSweepParams,
    LabelingParams,
)


def sweep(horizons: Any = (1,), rates: Any = (10,)) -> HorizonSweepParams:
    return HorizonSweepParams.model_validate({"horizons": horizons, "false_alarms_per_hour": rates})


@pytest.mark.parametrize("given", ["25 1 5 5", [5, 1, 25], (1, 5, 25)])
def test_horizons_are_ascending_and_each_there_once(given: Any) -> None:
    assert sweep(horizons=given).horizons == (1, 5, 25)


@pytest.mark.parametrize("given", ["60 10 0.5 60", [60, 10.0, 0.5, 10], (0.5, 10, 60)])
def test_false_alarm_rates_are_ascending_and_each_there_once(given: Any) -> None:
    assert sweep(rates=given).false_alarms_per_hour == (0.5, 10.0, 60.0)


def test_a_single_number_is_a_list_of_one() -> None:
    assert sweep(horizons=5, rates=0.5) == sweep(horizons="5", rates="0.5")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"horizons": "1, 5"}, "numbers of frames with blanks in between"),
        ({"horizons": "1 2.5"}, "numbers of frames with blanks in between"),
        ({"horizons": [1, 2.5]}, "valid integer"),
        ({"horizons": "0 1"}, "greater than or equal to 1"),
        ({"horizons": []}, "at least 1 item"),
        ({"rates": "ten"}, "false alarms per hour with blanks in between"),
        ({"rates": "0 10"}, "greater than 0"),
        ({"rates": "nan"}, "finite|greater than 0"),
        ({"rates": [True]}, "valid number"),
        ({"rates": ""}, "at least 1 item"),
    ],
)
def test_what_is_no_list_of_such_numbers_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        sweep(**given)


@pytest.mark.parametrize("text", ["a\x1b[2J", "a\nb", "x" * 1001])
def test_texts_that_a_predictor_could_not_hold_are_refused_before_it_is_trained(text: str) -> None:
    with pytest.raises(ValidationError, match="event"):
        LabelingParams(event=text, target="any", shift_frames=1)
    with pytest.raises(ValidationError, match="directory"):
        CheckpointParams(hf_repo=None, revision=None, directory=text)
