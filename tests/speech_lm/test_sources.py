from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.errors import AudioError
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio, StreamReader
from acoustic_event_prediction.speech_lm.streams import StreamKey

RATE = 24_000


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    """One second in which every sample is 0.5."""
    sf.write(tmp_path / "mix.wav", np.full(RATE, 0.5, np.float32), RATE, subtype="FLOAT")
    return tmp_path / "mix.wav"


def read(audio: EpisodeAudio, *keys: StreamKey, block: int = 7000) -> np.ndarray:
    with StreamReader(audio, keys) as reader:
        return np.concatenate([reader.read(block) for _ in range(-(-RATE // block))], axis=1)


def heard(row: np.ndarray) -> list[tuple[float, float]]:
    """Spans in seconds in which a stream is not zero."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row != 0, [0]])))
    return [(float(a) / RATE, float(b) / RATE) for a, b in edges.reshape(-1, 2)]


TURNS = {"A": [(0.0, 0.25)], "B": [(0.5, 0.75)], "C": [(0.75, 1.0)]}


def test_a_mixed_stream_keeps_the_turns_of_its_speakers(mix: Path) -> None:
    audio = EpisodeAudio(mix, {}, TURNS, [])
    user, system = read(audio, StreamKey(("A",), False), StreamKey(("B", "C"), False))
    assert heard(user) == [(0.0, 0.25)]
    assert heard(system) == [(0.5, 1.0)]


def test_laughs_are_zeroed_where_the_stream_says_so(mix: Path) -> None:
    audio = EpisodeAudio(mix, {}, TURNS, [(0.125, 0.625)])
    masked, plain = read(audio, StreamKey(("A",), True), StreamKey(("A",), False))
    assert heard(masked) == [(0.0, 0.125)]
    assert heard(plain) == [(0.0, 0.25)]


def test_a_mono_user_hears_the_whole_mix_and_a_silent_system(mix: Path) -> None:
    audio = EpisodeAudio(mix, {}, {}, [(0.5, 1.0)])
    user, system = read(audio, StreamKey(("mix",), True), StreamKey((), True))
    assert heard(user) == [(0.0, 0.5)]
    assert heard(system) == []


def test_separated_tracks_are_summed_and_not_masked_by_turns(tmp_path: Path) -> None:
    paths = {}
    for name, value in (("A", 0.25), ("B", 0.5), ("C", 0.125)):
        paths[name] = tmp_path / f"{name}.wav"
        sf.write(paths[name], np.full(RATE, value, np.float32), RATE, subtype="FLOAT")
    audio = EpisodeAudio(None, paths, TURNS, [])
    user, system = read(audio, StreamKey(("A",), False), StreamKey(("B", "C"), False))
    assert set(user[:RATE]) == {0.25}
    assert set(system[:RATE]) == {0.625}


def test_streams_do_not_depend_on_the_blocks(mix: Path) -> None:
    audio = EpisodeAudio(mix, {}, TURNS, [(0.1, 0.13)])
    keys = [StreamKey(("A",), True), StreamKey(("B", "C"), False)]
    once, pieces = read(audio, *keys, block=RATE), read(audio, *keys, block=997)
    assert np.array_equal(once, pieces[:, :RATE])


def test_a_track_that_is_shorter_than_its_episode_ends_early(tmp_path: Path) -> None:
    for name, seconds in (("A", 1.0), ("B", 0.5)):
        sf.write(tmp_path / f"{name}.wav", np.zeros(int(RATE * seconds), np.float32), RATE)
    paths = {name: tmp_path / f"{name}.wav" for name in ("A", "B")}
    keys = [StreamKey(("A",), False), StreamKey(("B",), False), StreamKey((), False)]
    with StreamReader(EpisodeAudio(None, paths, {}, []), keys) as reader:
        assert reader.count_frames() == [13, 7, 13]


def test_a_missing_file_is_named_and_nothing_stays_open(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav"):
        StreamReader(EpisodeAudio(tmp_path / "gone.wav", {}, {}, []), [StreamKey(("A",), False)])
