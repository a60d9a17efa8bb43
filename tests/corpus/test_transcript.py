import pandas as pd
import pytest

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.tables import Interval
from acoustic_event_prediction.corpus.transcript import tell_unit, words_in_seconds

NOBODY = pd.DataFrame({"onset": [], "offset": [], "speaker": []})


def word(onset: float, offset: float) -> Interval:
    return Interval(onset, offset, "word")


def turn(onset: float, offset: float) -> pd.DataFrame:
    return pd.DataFrame({"onset": [onset], "offset": [offset], "speaker": ["A"]})


def test_a_reading_that_outlasts_the_audio_is_out() -> None:
    words = [word(1e7, 1.2e7), word(50e7, 50.3e7)]  # up to 50.3 s, or 503 s
    assert tell_unit(words, 60.0, NOBODY) == 1e-7


def test_turns_tell_the_unit_when_both_fit() -> None:
    # 2.0 to 3.5 s, or 0.2 to 0.35 s: a slow word, but the turn leaves no doubt.
    assert tell_unit([word(2e6, 3.5e6)], 60.0, turn(1.9, 4.0)) == 1e-6
    assert tell_unit([word(2e6, 3.5e6)], 60.0, turn(0.1, 0.4)) == 1e-7


def test_the_length_of_words_tells_the_unit_without_turns() -> None:
    assert tell_unit([word(2e6, 2.3e6)], 60.0, NOBODY) == 1e-6  # 0.3 s, not 0.03 s
    assert tell_unit([word(2e6, 5e6)], 60.0, NOBODY) == 1e-7  # 0.3 s, not 3 s


def test_without_words_there_is_no_unit() -> None:
    assert tell_unit([], 60.0, NOBODY) is None


def test_words_that_fit_by_no_reading_are_refused() -> None:
    with pytest.raises(FileProblem, match=r"run to 100\.000 s, the audio to 60\.000 s"):
        tell_unit([word(0, 100e7)], 60.0, NOBODY)


def test_ticks_become_the_seconds_that_they_stand_for() -> None:
    table = words_in_seconds([word(1_000_000, 23_200_000)], 1e-7)
    assert (table["onset"][0], table["offset"][0]) == (0.1, 2.32)
