"""No row knows what begins with it, however the stream is cut."""

import pytest
import torch

from acoustic_event_prediction.baselines.kinds import KINDS, BaselineKind, feature_dim
from acoustic_event_prediction.baselines.stream import BaselineStream
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.features import BlockPlan
from tests.speech_lm.test_features import voices

FRAMES = 40
SYSTEM, USER = 0, 1


def features(
    waveforms: torch.Tensor,
    lm: SpeechLM,
    *,
    kinds: tuple[BaselineKind, ...] = KINDS,
    chunk_frames: int = 256,
    reset_frames: int | None = None,
) -> dict[str, torch.Tensor]:
    """[2, N], system and user -> by kind [T, D]."""
    num_frames = waveforms.shape[1] // 1920
    plan = BlockPlan(num_frames, chunk_frames, reset_frames)
    stream = BaselineStream(
        kinds,
        plan,
        mimi=lm.mimi if "mimi_latents" in kinds else None,
        device=torch.device("cpu"),
        system_streams=[SYSTEM],
        user_streams=[USER],
        num_streams=2,
    )
    with stream:
        blocks = [
            stream.push(waveforms[:, start * 1920 : stop * 1920], begins=begins)
            for start, stop, begins in plan.blocks()
        ]
    dims = [feature_dim(kind, lm.mimi.dimension) for kind in kinds]
    return dict(zip(kinds, torch.cat(blocks, dim=1)[0].split(dims, dim=-1), strict=True))


@pytest.fixture(scope="module")
def waveforms() -> torch.Tensor:
    return voices(FRAMES * 1920, seed=5)


@pytest.mark.parametrize("stream", [SYSTEM, USER])
@pytest.mark.parametrize("frame", [0, 1, 17, 39])
def test_what_begins_with_a_frame_reaches_only_later_rows(
    waveforms: torch.Tensor, short_context_lm: SpeechLM, frame: int, stream: int
) -> None:
    changed = waveforms.clone()
    changed[stream, frame * 1920 :] = voices((FRAMES - frame) * 1920, seed=9)[1]
    before, after = (
        features(sound, short_context_lm, chunk_frames=16) for sound in (waveforms, changed)
    )
    for kind in KINDS:
        assert torch.equal(before[kind][: frame + 1], after[kind][: frame + 1]), kind
        if frame + 1 < FRAMES:  # and it does reach the very next one
            assert not torch.equal(before[kind][frame + 1], after[kind][frame + 1]), kind


@pytest.mark.parametrize("chunk_frames", [1, 3, 8, 64, 256])
def test_the_length_of_the_blocks_changes_nothing(
    short_context_lm: SpeechLM, chunk_frames: int
) -> None:
    sound = voices(90 * 1920, seed=6)
    whole = features(sound, short_context_lm, chunk_frames=90)
    cut = features(sound, short_context_lm, chunk_frames=chunk_frames)
    for kind in KINDS:
        torch.testing.assert_close(cut[kind], whole[kind], rtol=1e-4, atol=1e-4, msg=kind)


def test_the_first_row_is_the_same_for_all_recordings(
    waveforms: torch.Tensor, short_context_lm: SpeechLM
) -> None:
    found = features(waveforms, short_context_lm)
    other = features(voices(1920, seed=8), short_context_lm)
    for kind in KINDS:
        assert torch.equal(found[kind][0], other[kind][0])
    silence = torch.tensor([-100.0, -100.0, 0.0])
    assert torch.equal(found["energy"][0], torch.cat([silence, silence]))
    assert torch.equal(found["mimi_latents"][0], torch.zeros(2 * 64))


def test_the_systems_numbers_come_first(short_context_lm: SpeechLM) -> None:
    sound = torch.zeros(2, 3 * 1920)
    sound[SYSTEM] = 0.1
    found = features(sound, short_context_lm, kinds=("energy", "log_mel_1"))
    assert found["energy"][1, 0] == pytest.approx(-20)
    assert found["energy"][1, 3] == -100
    assert found["log_mel_1"][1, :80].max() > -100
    assert found["log_mel_1"][1, 80:].max() == 0  # all at the floor, without deviation


def test_silence_has_finite_numbers_in_float16(short_context_lm: SpeechLM) -> None:
    found = features(torch.zeros(2, 20 * 1920), short_context_lm)
    for kind in KINDS:
        assert found[kind].half().isfinite().all()
    # Silence sounds as what was before the recording.
    for kind in ("energy", "log_mel_1", "log_mel_8"):
        torch.testing.assert_close(found[kind], found[kind][:1].expand(20, -1))


def test_the_loudest_sound_has_finite_numbers_in_float16(short_context_lm: SpeechLM) -> None:
    square = torch.ones(2, 20 * 1920)
    square[:, ::2] = -1
    for sound in (square, torch.ones(2, 20 * 1920)):
        for kind, found in features(sound, short_context_lm).items():
            assert found.half().isfinite().all(), kind


def test_after_a_reset_all_is_as_in_a_recording_that_begins_there(
    waveforms: torch.Tensor, short_context_lm: SpeechLM
) -> None:
    found = features(waveforms, short_context_lm, chunk_frames=8, reset_frames=20)
    second = features(waveforms[:, 20 * 1920 :], short_context_lm, chunk_frames=8)
    for kind in KINDS:
        torch.testing.assert_close(found[kind][20:], second[kind], rtol=1e-4, atol=1e-5)


def test_latents_need_the_codec() -> None:
    with pytest.raises(ValueError, match="needs the loaded codec"):
        BaselineStream(
            ["mimi_latents"],
            BlockPlan(1, 1, None),
            mimi=None,
            device=torch.device("cpu"),
            system_streams=[0],
            user_streams=[1],
            num_streams=2,
        )
