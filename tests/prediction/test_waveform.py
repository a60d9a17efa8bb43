import copy
import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from acoustic_event_prediction import Predictor
from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.errors import AudioError, CorpusError, DeviceError
from acoustic_event_prediction.models.predictor import PredictorError
from acoustic_event_prediction.prediction.given_waveform import MissingInputWarning
from tests.conftest import SAMPLE
from tests.prediction.made import sample_predictor, saved

RATE = 16_000
SECONDS = 4
NUM_FRAMES = 50
NOTHING: dict[str, list[tuple[float, float]]] = {"turns": [], "words": [], "laughs": []}


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Two channels of noise that is loud and quiet in turns, float32 [2, N]."""
    generator = np.random.default_rng(0)
    gate = np.repeat([1.0, 0.01] * SECONDS, RATE // 2)
    samples = generator.normal(0, 0.1, (2, SECONDS * RATE)) * [gate, gate[::-1]]
    return samples.astype(np.float32)


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    path = saved(sample_predictor(), tmp_path_factory.mktemp("predictor"))
    return Predictor.load(str(path))


def test_a_mono_waveform_has_one_score_per_frame(predictor: Predictor, noise: np.ndarray) -> None:
    found = predictor.predict(noise[0], RATE, **NOTHING)
    assert found.users == ("mix",)
    assert found.scores.shape == found.time_seconds.shape == (NUM_FRAMES,)
    assert found.scores.dtype == np.float32
    assert found.time_seconds[:2].tolist() == [0.0, 0.08]
    assert found.horizon_scores.shape == (1, NUM_FRAMES, 2)
    assert np.array_equal(found.scores, found.horizon_scores[0, :, 0])
    assert ((found.scores > 0) & (found.scores < 1)).all()
    assert found.scores.std() > 0


def test_each_channel_is_the_user_once(predictor: Predictor, noise: np.ndarray) -> None:
    found = predictor.predict(noise, RATE, **NOTHING)
    assert found.users == ("channel_1", "channel_2")
    assert found.scores.shape == (2, NUM_FRAMES)
    swapped = predictor.predict(noise[::-1], RATE, **NOTHING)
    assert np.allclose(found.scores, swapped.scores[::-1], atol=1e-4)
    assert not np.allclose(found.scores[0], found.scores[1], atol=1e-2)
    chosen = predictor.predict(noise, RATE, user="channel_2", **NOTHING)
    assert chosen.users == ("channel_2",)
    assert np.allclose(chosen.scores[0], found.scores[1], atol=1e-4)


def test_turns_divide_a_mix_as_channels_do(predictor: Predictor) -> None:
    rate = 24_000  # the models' own: a resampler would smear the edges of channels that are cut
    mix = np.random.default_rng(0).normal(0, 0.1, SECONDS * rate).astype(np.float32)
    turns = [(on, on + 0.5, "AB"[index % 2]) for index, on in enumerate(np.arange(0, SECONDS, 0.5))]
    is_first = np.repeat([True, False] * SECONDS, rate // 2)
    channels = np.where([is_first, ~is_first], mix, np.float32(0))
    by_turns = predictor.predict(mix, rate, turns=turns, words=[], laughs=[])
    by_channels = predictor.predict(channels, rate, **NOTHING)
    assert by_turns.users == ("A", "B")
    assert np.allclose(by_turns.scores, by_channels.scores, atol=1e-5)


def test_types_and_rates_that_hold_the_same_sound_give_the_same_scores(
    predictor: Predictor, noise: np.ndarray
) -> None:
    expected = predictor.predict(noise[0], RATE, **NOTHING).scores
    for same in (noise[0].astype(np.float64), torch.from_numpy(noise[0].copy())):
        assert np.array_equal(predictor.predict(same, float(RATE), **NOTHING).scores, expected)
        assert np.array_equal(predictor.predict(same, RATE, **NOTHING).scores, expected)


def test_the_future_does_not_change_the_past(predictor: Predictor, noise: np.ndarray) -> None:
    changed = noise[0].copy()
    changed[2 * RATE :] = 0
    whole, other = (predictor.predict(x, RATE, **NOTHING).scores for x in (noise[0], changed))
    # Resampling looks a few samples ahead, so the frame at 2 s may know.
    assert np.allclose(whole[:24], other[:24], atol=1e-5)
    assert not np.allclose(whole[26:], other[26:], atol=1e-3)


def test_alarms_and_table_are_those_of_the_files(predictor: Predictor, noise: np.ndarray) -> None:
    found = predictor.predict(noise, RATE, **NOTHING)
    middle = float(np.median(found.scores))
    alarms = found.alarms(AlarmRule(middle, 0.0, 0.08, 0.0))
    assert list(alarms.columns) == ["user", "onset", "offset", "peak"]
    assert set(alarms["user"]) <= set(found.users)
    assert (alarms["peak"] >= middle).all()
    assert found.alarms().equals(found.alarms(found.rule))
    table = found.to_frame()
    assert list(table.columns) == [
        *("frame", "time_seconds", "user", "score", "score_5", "score_10"),
    ]
    assert len(table) == 2 * NUM_FRAMES


def test_without_a_rule_alarms_need_one(noise: np.ndarray) -> None:
    bare = sample_predictor()
    header = bare.header.model_copy(update={"alarms": None})
    found = type(bare)(bare.classifier, header).predict(noise[0], RATE, **NOTHING)
    with pytest.raises(ValueError, match="no rule for alarms"):
        found.alarms()
    assert isinstance(found.alarms(AlarmRule(0.5, 0.0, 0.08, 0.0)), pd.DataFrame)


def test_what_is_not_given_is_told_and_an_empty_list_is_given(noise: np.ndarray) -> None:
    needy = sample_predictor(mask_laughter="both")
    with pytest.warns(MissingInputWarning) as told:
        needy.predict(noise, RATE)
    assert [str(warning.message).split(";")[-1] for warning in told] == [
        " give words= (an empty list if there are none)",
        " give laughs= (an empty list if there are none)",
    ]
    assert all(warning.filename == __file__ for warning in told)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        needy.predict(noise[0], RATE, **NOTHING)


def test_words_and_laughs_reach_the_models(noise: np.ndarray) -> None:
    needy = sample_predictor(mask_laughter="both")
    plain = needy.predict(noise, RATE, **NOTHING).scores
    words = pd.DataFrame(
        {"onset": [1.0], "offset": [1.4], "text": ["hello"], "speaker": ["channel_2"]}
    )
    spoken = needy.predict(noise, RATE, words=words, laughs=[]).scores
    assert not np.allclose(plain[0], spoken[0], atol=1e-4)  # the system speaks
    assert np.allclose(plain[1], spoken[1], atol=1e-6)  # the user's words are not read
    laughed = needy.predict(noise, RATE, words=[], laughs=[(1.0, 2.0)]).scores
    assert np.allclose(plain[:, :12], laughed[:, :12], atol=1e-5)
    assert not np.allclose(plain[:, 14:], laughed[:, 14:], atol=1e-3)


def test_rows_may_have_names_and_words_their_speaker_from_the_turns(noise: np.ndarray) -> None:
    predictor = sample_predictor()
    turns = [(0.0, 2.0, "A"), (2.0, 4.0, "B")]
    full = [(1.0, 1.4, "hello", "A"), (3.0, 3.4, "yes", "B")]
    bare = pd.DataFrame({"onset": [1.0, 3.0], "offset": [1.4, 3.4], "text": ["hello", "yes"]})
    named = [dict(zip(("onset", "offset", "speaker"), turn, strict=True)) for turn in turns]
    expected = predictor.predict(noise[0], RATE, turns=turns, words=full).scores
    for given, words in ((named, bare), (turns, bare.assign(speaker=None)), (turns, full)):
        found = predictor.predict(noise[0], RATE, turns=given, words=words).scores
        assert np.array_equal(found, expected)
    silent = predictor.predict(noise[0], RATE, turns=turns, words=[]).scores
    assert not np.allclose(silent, expected, atol=1e-4)


def test_turns_end_with_the_waveform(predictor: Predictor, noise: np.ndarray) -> None:
    def users(*turns: tuple[float, float, str]) -> tuple[str, ...]:
        return predictor.predict(noise[0], RATE, turns=turns, words=[], laughs=[]).users

    assert users((0, 1e9, "A"), (0, 2, "B")) == ("A", "B")
    assert users((30, 40, "A")) == ("mix",)
    assert users((1, 1, "A")) == ("mix",)


def test_a_copy_and_another_threshold_are_predictors_too(noise: np.ndarray) -> None:
    predictor = sample_predictor()
    expected = predictor.predict(noise[0], RATE, **NOTHING).scores
    for other in (
        copy.deepcopy(predictor),
        pickle.loads(pickle.dumps(predictor)),
        predictor.with_threshold(0.5, None),
    ):
        assert np.array_equal(other.predict(noise[0], RATE, **NOTHING).scores, expected)
    assert predictor.with_threshold(0.5, None).loaded is predictor.loaded


def test_an_unknown_device_is_named(predictor: Predictor, noise: np.ndarray) -> None:
    with pytest.raises(DeviceError, match="auto, cpu or cuda, got 'tpu'"):
        predictor.predict(noise[0], RATE, device="tpu")  # type: ignore[arg-type]


def test_words_of_strangers_are_refused(predictor: Predictor, noise: np.ndarray) -> None:
    with pytest.raises(CorpusError, match="words are of Ann, those of channel_1"):
        predictor.predict(noise, RATE, words=[(1.0, 1.2, "hello", "Ann")])
    own = [(1.0, 1.2, "hello", "channel_1")]
    with pytest.raises(CorpusError, match="are of channel_1, those of channel_2 are read"):
        predictor.predict(noise, RATE, words=own, user="channel_1")
    with pytest.warns(MissingInputWarning, match="all is one stream") as told:
        predictor.predict(noise[0], RATE, words=own, turns=[])
    assert told[0].filename == __file__
    with pytest.raises(AudioError, match="a name, where samples are needed"):
        predictor.predict("talk.wav", RATE)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match="words name no speaker"):
        predictor.predict(noise, RATE, words=[(1.0, 1.2, "hello")])


def test_a_prediction_is_shown_in_a_line(predictor: Predictor, noise: np.ndarray) -> None:
    found = predictor.predict(noise[0], RATE, **NOTHING)
    assert len(repr(found)) < 120
    assert "50 frames" in repr(found)
    assert "predictor.safetensors" in repr(predictor)
    assert len(repr(predictor)) < 250


def test_progress_ends_with_all_of_it(predictor: Predictor, noise: np.ndarray) -> None:
    seen: list[float] = []
    predictor.predict(noise, RATE, on_progress=seen.append, **NOTHING)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


@pytest.mark.parametrize(
    ("waveform", "rate", "message"),
    [
        (np.zeros(0, np.float32), RATE, "no samples"),
        (np.zeros(100, np.int16), RATE, "full scale"),
        (np.zeros((1, 1, 9), np.float32), RATE, "shape"),
        (np.full(9, np.nan, np.float32), RATE, "NaN or infinite"),
        (np.ma.masked_greater(np.linspace(0, 1, 9), 0.5), RATE, r"masked array.*filled\(0\.0\)"),
        (np.full(9, 20_000.0), RATE, r"reach 2e\+04, full scale is 1"),
        (np.zeros(9, np.float32), 0, "rate of 0"),
        (np.zeros(9, np.float32), 8000.5, "rate of 8000.5"),
    ],
)
def test_waveforms_that_cannot_be_used_are_named(
    predictor: Predictor, waveform: np.ndarray, rate: int, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        predictor.predict(waveform, rate, **NOTHING)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"turns": [(0.0, 1.0)]}, "turns must be a table or rows of onset, offset, speaker"),
        ({"turns": [(1.0, 0.5, "A")]}, "ends before it begins"),
        ({"turns": [(1.0, 1.5, None)]}, "names no speaker"),
        ({"words": [(1.0, 1.5, None)]}, "has no text"),
        ({"laughs": [(-1.0, 0.5)]}, "negative"),
        ({"words": pd.DataFrame({"onset": [1]})}, "words must be a table"),
        ({"user": "Ann"}, "no user 'Ann', only mix"),
    ],
)
def test_inputs_that_cannot_be_used_are_named(
    predictor: Predictor, noise: np.ndarray, given: dict[str, object], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        predictor.predict(noise[0], RATE, **{**NOTHING, **given})


def test_turns_of_strangers_to_the_channels_are_refused(
    predictor: Predictor, noise: np.ndarray
) -> None:
    with pytest.raises(CorpusError, match="turns are of Ann, the channels are channel_1"):
        predictor.predict(noise, RATE, turns=[(0, 1, "Ann")], words=[], laughs=[])


def test_another_checkpoint_is_refused(
    predictor: Predictor, noise: np.ndarray, short_context_directory: Path
) -> None:
    with pytest.raises(PredictorError, match=r"another one.*sha256\.config"):
        predictor.predict(noise[0], RATE, checkpoint=short_context_directory, **NOTHING)
    same = predictor.predict(noise[0], RATE, checkpoint=SAMPLE / "checkpoint", **NOTHING)
    assert same.scores.shape == (NUM_FRAMES,)


def test_the_package_gives_the_predictor_and_nothing_unknown() -> None:
    import acoustic_event_prediction

    assert acoustic_event_prediction.Predictor is Predictor
    with pytest.raises(AttributeError, match="no attribute 'Forecaster'"):
        _ = acoustic_event_prediction.Forecaster  # type: ignore[attr-defined]
