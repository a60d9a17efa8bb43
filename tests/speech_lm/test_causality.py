import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from acoustic_event_prediction.errors import AudioError
from acoustic_event_prediction.params import CausalityCheckParams
from acoustic_event_prediction.speech_lm import causality
from acoustic_event_prediction.speech_lm.causality import (
    Measurement,
    measure_delays,
    read_excerpt,
)
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.extraction import EpisodeInput
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.speech_lm.streams import pair_streams
from acoustic_event_prediction.speech_lm.words import Word
from tests.made import extraction_params
from tests.speech_lm.test_extraction import episode, write_tracks

NUM_FRAMES = 32
# Its first frame is 5 (0.40 s), its last 15 (1.20 s), in which it ends.
LONG_WORD = Word("hello", 0.43, 1.23)

SHORT_BLOCKS = {"chunk_frames": 16, "dtype": "float32"}


def recording(folder: Path, words: list[Word], num_frames: int = NUM_FRAMES) -> EpisodeInput:
    """An episode with one assignment: user A, system B."""
    tracks, _ = write_tracks(folder, num_frames * 1920, seed=0)
    made = episode("x", tracks, num_frames * 1920, words)
    return dataclasses.replace(made, assignments=made.assignments[:1])


def measure(
    recorded: EpisodeInput, lm: SpeechLM, *, points: int, seconds: float = 60, **changes: object
) -> Measurement:
    check = CausalityCheckParams(episodes=1, points=points, seconds=seconds, seed=0)
    return measure_delays(
        recorded,
        "separated",
        lm,
        extraction_params(**SHORT_BLOCKS | changes),
        check,
        on_frames=lambda _: None,
    )


@pytest.mark.parametrize("order", ["moshi", "reference"])
def test_no_feature_has_heard_its_own_frame(
    tmp_path: Path, short_context_lm: SpeechLM, order: str
) -> None:
    measured = measure(
        recording(tmp_path, []), short_context_lm, points=9, stream_order=order, chunk_frames=7
    )
    assert len(measured.frames) == 9
    # The semantic code of frame f reaches feature f + 1, its acoustic codes feature f + 2.
    for delays in measured.delays.values():
        assert set(delays["audio"]) <= {1, 2}
        assert 1 in delays["audio"]
        assert delays["words"] == [None] * 9
        assert delays["both"] == delays["audio"]


def test_equal_rows_of_a_batch_are_equal_bit_by_bit_on_a_cpu(
    tmp_path: Path, short_context_lm: SpeechLM
) -> None:
    assert measure(recording(tmp_path, [LONG_WORD]), short_context_lm, points=4).rounding == 0


def test_a_word_is_known_from_its_first_frame_on_and_at_its_end_not_before(
    tmp_path: Path, short_context_lm: SpeechLM
) -> None:
    measured = measure(recording(tmp_path, [LONG_WORD]), short_context_lm, points=1)
    assert (measured.frames, measured.in_word) == ([15], [True])
    # words: the mark stands in frame 4, which feature 5 reads: 10 frames before frame 15.
    assert measured.delays["words"]["words"] == [5 - 15]
    assert measured.delays["words"]["both"] == [5 - 15]
    # words_at_end: the first token stands in frame 15, which feature 16 reads.
    assert measured.delays["words_at_end"]["words"] == [16 - 15]
    assert measured.delays["none"]["words"] == [None]
    for text in ("words_at_end", "none"):
        assert measured.delays[text]["both"][0] >= 1


def test_the_feature_after_a_reset_has_heard_nothing(
    tmp_path: Path, short_context_lm: SpeechLM
) -> None:
    measured = measure(
        recording(tmp_path, []), short_context_lm, points=27, reset_every_seconds=0.8
    )
    delays = dict(zip(measured.frames, measured.delays["none"]["audio"], strict=True))
    assert sorted(delays) == list(range(1, 28))
    # Frame 9 is the last before a reset: feature 10 stands behind the initial token alone, and
    # feature 11 has heard frame 10.
    assert delays[9] >= 2
    assert delays[19] >= 2
    assert min(delays.values()) == 1


class OneFrameAhead:
    """Moshi's temporal transformer, whose features come a frame too early."""

    def __init__(self, temporal: Any) -> None:
        self._temporal = temporal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._temporal, name)

    def __call__(self, sequence: torch.Tensor) -> torch.Tensor:
        return self._temporal(sequence).roll(-1, dims=1)


class HearsHalfAFrameAhead:
    """A Mimi that hears each block's audio 40 ms too early."""

    def __init__(self, mimi: Any) -> None:
        self._mimi = mimi

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mimi, name)

    def encode(self, waveforms: torch.Tensor) -> torch.Tensor:
        return self._mimi.encode(waveforms.roll(-960, dims=-1))


def test_features_that_come_a_frame_early_are_found_out(
    tmp_path: Path, short_context_lm: SpeechLM
) -> None:
    leaky = dataclasses.replace(short_context_lm, temporal=OneFrameAhead(short_context_lm.temporal))
    recorded = recording(tmp_path, [LONG_WORD])
    truth = measure(recorded, short_context_lm, points=5, chunk_frames=64)
    measured = measure(recorded, leaky, points=5, chunk_frames=64)
    assert measured.delays["none"]["audio"] == [
        delay - 1 for delay in truth.delays["none"]["audio"]
    ]
    assert min(measured.delays["none"]["audio"]) == 0
    assert measured.delays["words_at_end"]["words"][measured.frames.index(15)] == 0


def test_a_codec_that_hears_ahead_is_found_out(tmp_path: Path, short_context_lm: SpeechLM) -> None:
    leaky = dataclasses.replace(short_context_lm, mimi=HearsHalfAFrameAhead(short_context_lm.mimi))
    measured = measure(recording(tmp_path, []), leaky, points=5, chunk_frames=64)
    assert min(measured.delays["none"]["audio"]) == 0


def test_a_text_row_that_comes_a_frame_early_is_found_out(
    tmp_path: Path, short_context_lm: SpeechLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = causality.text_row
    monkeypatch.setattr(causality, "text_row", lambda *arguments: row(*arguments).roll(-1))
    measured = measure(recording(tmp_path, [LONG_WORD]), short_context_lm, points=1)
    assert measured.delays["words_at_end"]["words"] == [15 - 15]
    assert measured.delays["words"]["words"] == [4 - 15]
    assert measured.delays["none"]["audio"][0] >= 1


class Rounding:
    """A temporal transformer whose rows differ by chance, as on hardware that rounds by place."""

    def __init__(self, temporal: Any) -> None:
        self._temporal = temporal
        self._generator = torch.Generator().manual_seed(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._temporal, name)

    def __call__(self, sequence: torch.Tensor) -> torch.Tensor:
        features = self._temporal(sequence)
        return features + 1e-4 * torch.rand(features.shape, generator=self._generator)


def test_rounding_between_equal_rows_is_measured_and_taken_for_no_leak(
    tmp_path: Path, short_context_lm: SpeechLM
) -> None:
    rounding = dataclasses.replace(short_context_lm, temporal=Rounding(short_context_lm.temporal))
    recorded = recording(tmp_path, [LONG_WORD])
    measured = measure(recorded, rounding, points=4)
    assert 0 < measured.rounding < 1e-3
    assert measured.delays == measure(recorded, short_context_lm, points=4).delays


def test_only_the_first_seconds_are_used(tmp_path: Path, short_context_lm: SpeechLM) -> None:
    late = Word("hello", 1.7, 2.3)
    measured = measure(recording(tmp_path, [late]), short_context_lm, points=30, seconds=1.6)
    assert measured.num_frames == 20
    assert max(measured.frames) < 20
    assert measured.delays["words"]["words"] == [None] * len(measured.frames)


def test_a_seed_gives_the_same_points_and_delays_again(
    tmp_path: Path, short_context_lm: SpeechLM
) -> None:
    recorded = recording(tmp_path, [LONG_WORD])
    first, second = (measure(recorded, short_context_lm, points=4) for _ in range(2))
    assert first == second


def test_silence_is_replaced_by_sound(tmp_path: Path) -> None:
    recorded = recording(tmp_path, [])
    (assignment,) = recorded.assignments
    alone = dataclasses.replace(assignment, streams=pair_streams("A", [], "none"))
    excerpt = read_excerpt(
        dataclasses.replace(recorded, assignments=[alone]),
        BlockPlan.of(NUM_FRAMES, 16, None),
        np.random.default_rng(0),
    )
    assert not excerpt.waveforms[0].any()
    assert excerpt.waveforms[1].any()
    level = np.sqrt(np.mean(np.square(excerpt.replacement), axis=1))
    assert (level > 0.01).all()
    assert (excerpt.replacement != excerpt.waveforms).mean() > 0.999


def test_an_excerpt_of_a_few_frames_is_refused(tmp_path: Path, short_context_lm: SpeechLM) -> None:
    with pytest.raises(AudioError, match=r"'train/x/A' has 9 frames.*causality_check\.seconds"):
        measure(recording(tmp_path, []), short_context_lm, points=1, seconds=0.72)


def test_audio_that_is_gone_is_named(tmp_path: Path, short_context_lm: SpeechLM) -> None:
    recorded = recording(tmp_path, [])
    recorded.audio.tracks["B"].unlink()
    with pytest.raises(AudioError, match=r"0_B\.wav: there is no such file"):
        measure(recorded, short_context_lm, points=1)
