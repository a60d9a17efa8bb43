import gc
import itertools
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from acoustic_event_prediction import Predictor
from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.errors import AudioError, CorpusError
from acoustic_event_prediction.models.predictor import PredictorError
from acoustic_event_prediction.prediction.given_waveform import MissingInputWarning
from acoustic_event_prediction.prediction.live import Listener
from acoustic_event_prediction.prediction.live_scores import LiveScores
from tests.prediction.made import sample_predictor, saved

RATE = 24_000
SECONDS = 4
WORDS = [
    (0.2, 0.5, "so", "channel_2"),
    (0.62, 0.9, "yes indeed", "channel_1"),
    (1.7, 2.4, "wonderful", "channel_2"),
    (2.41, 2.6, "you", "channel_2"),
]
NOTHING: dict[str, list[tuple[float, float]]] = {"turns": [], "laughs": []}


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    """Two channels of noise that is loud and quiet in turns, float32 [2, N]."""
    gate = np.repeat([1.0, 0.01] * SECONDS, RATE // 2)
    samples = np.random.default_rng(0).normal(0, 0.1, (2, SECONDS * RATE)) * [gate, gate[::-1]]
    return samples.astype(np.float32)


def loaded(folder: Path, **changes: object) -> Predictor:
    changes.setdefault("sources", ("separated",))
    return Predictor.load(saved(sample_predictor(**changes), folder))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return loaded(tmp_path_factory.mktemp("words"), text="words")


@pytest.fixture(scope="module")
def wordless(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return loaded(tmp_path_factory.mktemp("none"), sources=("mono",), text="none")


@pytest.fixture(scope="module")
def separate(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return loaded(tmp_path_factory.mktemp("separate"), text="none")


def pieces(samples: np.ndarray, *sizes: int) -> list[np.ndarray]:
    """Cut [C, N] into pieces of these sizes in turn."""
    limits = itertools.takewhile(
        lambda start: start < samples.shape[-1], itertools.accumulate(itertools.cycle(sizes))
    )
    return np.split(samples, list(limits), axis=-1)


def hear(listener: Listener, parts: list[np.ndarray]) -> LiveScores:
    """Push all, and return the scores of all frames."""
    heard = [listener.push(part) for part in parts]
    return LiveScores(
        np.concatenate([one.time_seconds for one in heard]),
        np.concatenate([one.scores for one in heard], axis=1),
        np.concatenate([one.horizon_scores for one in heard], axis=1),
        np.concatenate([one.alarms for one in heard], axis=1),
    )


@pytest.mark.parametrize("sizes", [(1920,), (480,), (7, 5000, 1), (SECONDS * RATE,)])
def test_the_scores_are_those_of_the_whole_waveform(
    predictor: Predictor, noise: np.ndarray, sizes: tuple[int, ...]
) -> None:
    whole = predictor.predict(noise, RATE, words=WORDS, **NOTHING)
    with predictor.listen(RATE, 2, with_words=True) as listener:
        first = listener.push(np.zeros((2, 0), np.float32), words=WORDS)
        heard = hear(listener, pieces(noise, *sizes))
        assert listener.heard_seconds == SECONDS
    # After all sound the next frame has begun, which the waveform does not have.
    assert listener.users == whole.users
    assert first.time_seconds.tolist() == [0.0]
    assert heard.time_seconds.tolist() == [*whole.time_seconds[1:], SECONDS]
    assert np.allclose(first.horizon_scores[:, 0], whole.horizon_scores[:, 0], atol=1e-3)
    assert np.allclose(heard.horizon_scores[:, :-1], whole.horizon_scores[:, 1:], atol=1e-3)
    assert np.array_equal(heard.scores, heard.horizon_scores[:, :, 0])
    assert whole.scores.std() > 10 * 1e-3


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_another_rate_gives_the_same_scores_a_little_later(
    separate: Predictor, noise: np.ndarray, rate: int
) -> None:
    whole = separate.predict(noise, rate, words=[], **NOTHING)
    with separate.listen(rate, 2) as listener:
        heard = hear(listener, pieces(noise, rate // 100))
    num_frames = heard.scores.shape[1]
    expected = len(whole.time_seconds)
    assert expected - 1 <= num_frames <= expected + 1
    common = slice(0, min(num_frames, expected))
    assert np.allclose(heard.scores[:, common], whole.scores[:, common], atol=1e-3)


def test_a_score_is_there_with_the_last_sample_before_its_frame(
    wordless: Predictor, noise: np.ndarray
) -> None:
    with wordless.listen(RATE) as listener:
        assert listener.users == ("mix",)
        counts = [
            listener.push(part).time_seconds.tolist()
            for part in np.split(noise[0, :6000], [0, 1919, 1920, 3839, 5761])
        ]
    assert counts == [[0.0], [], [0.08], [], [0.16, 0.24], []]


@pytest.mark.parametrize("text", ["words", "words_at_end"])
def test_contexts_are_forgotten_when_they_were_in_training(
    tmp_path: Path, noise: np.ndarray, text: str
) -> None:
    forgetful = loaded(tmp_path, text=text, reset_every_seconds=0.8)
    whole = forgetful.predict(noise, RATE, words=WORDS, **NOTHING)
    with forgetful.listen(RATE, 2, with_words=True) as listener:
        listener.push(np.zeros((2, 0), np.float32), words=WORDS)
        heard = hear(listener, pieces(noise, 4000))
    assert np.allclose(heard.scores[:, :-1], whole.scores[:, 1:], atol=1e-3)
    # Where the context begins anew, nothing has been heard.
    assert np.allclose(heard.scores[:, 9::10], heard.scores[0, 9], atol=1e-3)


def test_words_that_come_in_time_count_as_if_they_had_been_known(
    predictor: Predictor, noise: np.ndarray
) -> None:
    whole = predictor.predict(noise, RATE, words=WORDS, **NOTHING)
    silent = predictor.predict(noise, RATE, words=[], **NOTHING)
    assert not np.allclose(whole.scores[0], silent.scores[0], atol=1e-2)
    waiting = list(WORDS)
    with predictor.listen(RATE, 2, with_words=True) as listener:
        found = [listener.push(np.zeros((2, 0), np.float32)).scores]
        for part in pieces(noise, 960):
            # The mark stands one frame before the word.
            is_due = bool(waiting) and waiting[0][0] < listener.heard_seconds + 0.24
            found.append(listener.push(part, words=[waiting.pop(0)] if is_due else []).scores)
    assert not waiting
    heard = np.concatenate(found, axis=1)
    assert np.allclose(heard[:, :-1], whole.scores, atol=1e-3)


def test_alarms_are_raised_in_the_frames_in_which_the_table_has_them(
    separate: Predictor, noise: np.ndarray
) -> None:
    middle = float(np.median(separate.predict(noise, RATE, words=[], **NOTHING).scores))
    rule = AlarmRule(middle + 0.01, 0.16, 0.08, 0.4)
    with separate.listen(RATE, 2, rule=rule) as listener:
        heard = hear(listener, pieces(noise, 3000))
    table = separate.predict(noise, RATE, words=[], **NOTHING).alarms(rule)
    raised = [
        (listener.users[user], float(heard.time_seconds[frame]))
        for user, frame in np.argwhere(heard.alarms)
        if heard.time_seconds[frame] < SECONDS
    ]
    assert sorted(raised) == sorted(zip(table["user"], table["onset"], strict=True))
    assert len(raised) > 2


def test_without_a_rule_there_are_scores_and_no_alarms(noise: np.ndarray) -> None:
    bare = sample_predictor(("mono",), text="none")
    header = bare.header.model_copy(update={"alarms": None})
    with type(bare)(bare.classifier, header).listen(RATE) as listener:
        found = listener.push(noise[0])
    assert found.scores.shape == (1, 51)
    with pytest.raises(ValueError, match="no rule for alarms"):
        found.alarms  # noqa: B018


def test_what_will_not_be_there_is_told(tmp_path: Path) -> None:
    needy = loaded(tmp_path, text="words", mask_laughter="both")
    with pytest.warns(MissingInputWarning) as told:
        needy.listen(RATE).close()
    assert [str(warning.message).split("; ")[-1] for warning in told] == [
        "give each speaker a channel (num_channels=2)",
        "train a predictor that hears them (streams.mask_laughter=none)",
    ]
    assert all(warning.filename == __file__ for warning in told)
    with pytest.warns(MissingInputWarning) as told:
        needy.listen(RATE, 2).close()
    assert "with_words=True" in str(told[0].message)


def test_models_are_for_one_at_a_time(predictor: Predictor, noise: np.ndarray) -> None:
    with predictor.listen(RATE, 2, with_words=True) as listener:
        with pytest.raises(PredictorError, match="in use by what `listen` has returned"):
            predictor.predict(noise, RATE, words=[], **NOTHING)
        with pytest.raises(PredictorError, match="close it first"):
            predictor.listen(RATE, 2, with_words=True)
        assert listener.push(noise).scores.shape == (2, 51)
    with pytest.raises(PredictorError, match="closed"):
        listener.push(noise)
    listener.close()
    assert predictor.predict(noise, RATE, words=[], **NOTHING).scores.shape == (2, 50)


def test_a_push_that_is_interrupted_closes_it(
    wordless: Predictor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = wordless.listen(RATE)
    listener.push(noise[0, :5000])
    with monkeypatch.context() as patch:
        patch.setattr(listener, "_score", interrupt)
        with pytest.raises(KeyboardInterrupt):
            listener.push(noise[0])
    # Going on would miss sound without a word; the models may be in any state, and are loaded anew.
    with pytest.raises(PredictorError, match="closed"):
        listener.push(noise[0])
    assert wordless.predict(noise[0], RATE, words=[], **NOTHING).scores.shape == (50,)


def interrupt(_: object) -> None:
    raise KeyboardInterrupt


def test_a_handler_may_close_it_in_the_midst_of_a_push(
    wordless: Predictor, noise: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = wordless.listen(RATE)
    score = listener._score
    monkeypatch.setattr(listener, "_score", lambda rows: (listener.close(), score(rows))[1])
    assert listener.push(noise[0]).scores.shape == (1, 51)
    with pytest.raises(PredictorError, match="closed"):
        listener.push(noise[0])


def test_threads_that_open_at_once_share_the_models(wordless: Predictor) -> None:
    fresh = loaded_again(wordless)
    with ThreadPoolExecutor(3) as pool:
        opened = [pool.submit(fresh.listen, RATE) for _ in range(3)]
    failures = [one.exception() for one in opened]
    assert sum(isinstance(failure, PredictorError) for failure in failures) == 2
    assert len(fresh.loaded) == 1


def test_rows_are_in_the_channels_order(separate: Predictor) -> None:
    with separate.listen(RATE, 11) as listener:
        assert listener.users == tuple(f"channel_{number}" for number in range(1, 12))


def test_what_is_not_closed_is_closed_when_nobody_has_it(
    wordless: Predictor, noise: np.ndarray
) -> None:
    listener = wordless.listen(RATE)
    listener.push(noise[0])
    del listener
    gc.collect()
    with wordless.listen(RATE) as other:
        assert other.push(noise[0]).scores.shape == (1, 51)


def test_a_listener_waits_for_a_call_of_another_thread(
    wordless: Predictor, noise: np.ndarray
) -> None:
    found = []
    started = threading.Event()

    def predict() -> None:
        call = wordless.predict(
            noise, RATE, words=[], on_progress=lambda _: started.set(), **NOTHING
        )
        found.append(call.scores.shape)

    thread = threading.Thread(target=predict)
    thread.start()
    started.wait(60)
    with wordless.listen(RATE) as listener:
        listener.push(noise[0])
    thread.join(60)
    assert found == [(1, 50)]


def test_channels_of_a_mix_are_heard_together(wordless: Predictor, noise: np.ndarray) -> None:
    whole = wordless.predict(noise, RATE, words=[], **NOTHING)
    with wordless.listen(RATE, 2) as listener:
        heard = hear(listener, pieces(noise, 1920))
    assert heard.scores.shape == (1, 51)
    assert np.allclose(heard.scores[:, :-1], whole.scores, atol=1e-3)


def test_pieces_that_cannot_be_used_change_nothing(separate: Predictor, noise: np.ndarray) -> None:
    with separate.listen(RATE, 2) as listener, loaded_again(separate).listen(RATE, 2) as other:
        for bad, message in [
            (noise[0], "has 1 channels, the listener was opened for 2"),
            (noise.T[:100], "has 100 channels"),
            ((noise * 32768).astype(np.int16), "divide the samples by their full scale"),
            (np.where(np.arange(noise.shape[1]) == 10, np.nan, noise), "NaN or infinite sample"),
            (noise * 5000, "full scale is 1"),
        ]:
            with pytest.raises(AudioError, match=message):
                listener.push(bad)
        with pytest.raises(CorpusError, match="with_words=True"):
            listener.push(noise, words=WORDS)
        assert np.array_equal(listener.push(noise).scores, other.push(noise).scores)


def loaded_again(predictor: Predictor) -> Predictor:
    assert predictor.path is not None
    return Predictor.load(predictor.path)


def test_what_cannot_be_opened_leaves_the_models_free(predictor: Predictor) -> None:
    for bad, message in [
        ({"num_channels": 0}, "num_channels must be"),
        ({"num_channels": True}, "num_channels must be"),
        ({"sample_rate_hz": 0}, "samples a second"),
        ({"sample_rate_hz": 4000}, "too few to be heard live"),
        ({"num_channels": 2, "user": "nobody"}, "no user 'nobody', only channel_1, channel_2"),
        ({"num_channels": 1, "with_words": True}, "heard as one stream"),
    ]:
        with pytest.raises((AudioError, CorpusError), match=message):
            predictor.listen(**{"sample_rate_hz": RATE, **bad})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingInputWarning)
        predictor.listen(RATE, 2).close()


def test_words_of_strangers_are_refused(predictor: Predictor, noise: np.ndarray) -> None:
    with predictor.listen(RATE, 2, user="channel_1", with_words=True) as listener:
        assert listener.users == ("channel_1",)
        with pytest.raises(
            CorpusError, match="a word is of 'Robot', the speakers are channel_1, channel_2"
        ):
            listener.push(noise, words=[(0.1, 0.3, "hi", "Robot")])
        with pytest.warns(MissingInputWarning, match="only words of channel_2 are read") as told:
            listener.push(noise[:, :0], words=[(0.1, 0.3, "hi", "channel_1")])
        assert told[0].filename == __file__
        listener.push(noise, words=[(0.1, 0.3, "hi", "channel_2")])
