import pytest
import torch

from acoustic_event_prediction.frames import SAMPLES_PER_FRAME, count_frames
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.speech_lm.features import BlockPlan, FeatureStream
from tests.speech_lm.oracle import Oracle

CONTEXT = 40


@pytest.fixture(scope="module")
def oracle(short_context_checkpoint: Checkpoint) -> Oracle:
    return Oracle(short_context_checkpoint)


def voices(num_samples: int, *, num_voices: int = 2, seed: int = 0) -> torch.Tensor:
    """Noise whose loudness changes every frame or so, so that the codes have something to say."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(num_voices, num_samples, generator=generator) * 0.1
    loudness = torch.rand(num_voices, num_samples // 1500 + 1, generator=generator)
    return noise * loudness.repeat_interleave(1500, dim=1)[:, :num_samples]


def chunked(
    lm: SpeechLM,
    waveforms: torch.Tensor,
    chunk_frames: int,
    *,
    text: torch.Tensor | None = None,
    pairs: list[tuple[int, int]] | None = None,
    reset_every_seconds: float | None = None,
    order: str = "moshi",
    fixed_shape: bool = False,
) -> torch.Tensor:
    """Features [B, T, D] of (system, user) pairs of the waveforms [S, N]."""
    pairs = pairs or [(0, 1)]
    num_frames = count_frames(waveforms.shape[1], 24_000)
    padded = torch.nn.functional.pad(
        waveforms, (0, num_frames * SAMPLES_PER_FRAME - waveforms.shape[1])
    )
    if text is None:
        text = torch.full((len(pairs), num_frames), lm.temporal.tokens.text_padding)
    plan = BlockPlan.of(num_frames, chunk_frames, reset_every_seconds)
    ended = torch.full((len(waveforms),), num_frames)
    with FeatureStream(
        lm,
        plan,
        system_streams=[system for system, _ in pairs],
        user_streams=[user for _, user in pairs],
        num_streams=len(waveforms),
        order=order,
        fixed_shape=fixed_shape,
    ) as stream:
        blocks = [
            stream.push(
                padded[:, start * SAMPLES_PER_FRAME : stop * SAMPLES_PER_FRAME],
                ended - start,
                text[:, start:stop],
                begins=begins,
            )
            for start, stop, begins in plan.blocks()
        ]
    return torch.cat(blocks, dim=1)


@pytest.mark.parametrize("chunk_frames", [7, 25, 256])
@pytest.mark.parametrize("num_samples", [700, 30 * 1920, 131 * 1920 - 77])
def test_chunks_of_any_size_give_what_one_whole_pass_gives(
    short_context_lm: SpeechLM, oracle: Oracle, chunk_frames: int, num_samples: int
) -> None:
    # Shorter than a frame, shorter than the context, and three times the context.
    system, user = waveforms = voices(num_samples)
    torch.testing.assert_close(
        chunked(short_context_lm, waveforms, chunk_frames)[0],
        oracle.features(system=system, user=user),
        rtol=1e-4,
        atol=1e-4,
    )


def test_single_frame_chunks_give_what_one_whole_pass_gives(
    short_context_lm: SpeechLM, oracle: Oracle
) -> None:
    system, user = waveforms = voices(60 * 1920)
    torch.testing.assert_close(
        chunked(short_context_lm, waveforms, 1)[0],
        oracle.features(system=system, user=user),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_a_batch_gives_each_pair_what_it_gets_alone(
    short_context_lm: SpeechLM, oracle: Oracle, batch_size: int
) -> None:
    waveforms = voices(100 * 1920, num_voices=3)
    pairs = [(0, 1), (1, 0), (2, 1), (1, 2), (2, 0), (0, 2), (0, 0), (1, 1)][:batch_size]
    together = chunked(short_context_lm, waveforms, 32, pairs=pairs)
    for features, (system, user) in zip(together, pairs, strict=True):
        alone = oracle.features(system=waveforms[system], user=waveforms[user])
        torch.testing.assert_close(features, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("reset_every_seconds", [None, 1.6])
def test_blocks_filled_up_to_one_shape_give_the_same_features(
    short_context_lm: SpeechLM, reset_every_seconds: float | None
) -> None:
    # As on a GPU: 131 frames in blocks of 32 end with one of 3 frames; resets come every 20.
    waveforms = voices(131 * 1920)
    exact, filled = (
        chunked(
            short_context_lm,
            waveforms,
            32,
            reset_every_seconds=reset_every_seconds,
            fixed_shape=fixed_shape,
        )
        for fixed_shape in (False, True)
    )
    assert exact.shape == filled.shape
    torch.testing.assert_close(filled, exact, rtol=1e-4, atol=1e-4)


def test_the_user_and_the_system_are_not_interchangeable(short_context_lm: SpeechLM) -> None:
    waveforms = voices(20 * 1920)
    there, back = chunked(short_context_lm, waveforms, 25, pairs=[(0, 1), (1, 0)])
    assert (there - back).abs().max() > 0.1
    swapped = chunked(short_context_lm, waveforms, 25, pairs=[(0, 1)], order="reference")
    torch.testing.assert_close(swapped[0], back)


@pytest.mark.parametrize("frame", [1, 20, 63])
def test_a_feature_has_not_heard_its_own_frame(short_context_lm: SpeechLM, frame: int) -> None:
    waveforms = voices(70 * 1920)
    changed = waveforms.clone()
    changed[:, frame * SAMPLES_PER_FRAME :] += (
        0.5 * voices(70 * 1920, seed=1)[:, frame * SAMPLES_PER_FRAME :]
    )
    before, after = (chunked(short_context_lm, x, 16)[0] for x in (waveforms, changed))
    differs = (before != after).any(dim=1)
    assert not differs[: frame + 1].any()
    # The semantic code of frame f reaches feature f + 1, its acoustic codes feature f + 2.
    assert differs[frame + 1 : frame + 3].any()


def test_a_feature_has_read_text_only_before_its_frame(short_context_lm: SpeechLM) -> None:
    waveforms = voices(30 * 1920)
    text = torch.full((1, 30), short_context_lm.temporal.tokens.text_padding)
    changed = text.clone()
    changed[:, 12:] = 17
    before, after = (chunked(short_context_lm, waveforms, 8, text=x)[0] for x in (text, changed))
    differs = (before != after).any(dim=1)
    assert differs.nonzero()[0].item() == 13


def test_a_reset_starts_like_a_new_file(short_context_lm: SpeechLM, oracle: Oracle) -> None:
    waveforms = voices(50 * 1920)
    features = chunked(short_context_lm, waveforms, 16, reset_every_seconds=1.6)[0]
    parts = [
        oracle.features(system=part[0], user=part[1]) for part in waveforms.split(20 * 1920, dim=1)
    ]
    torch.testing.assert_close(features, torch.cat(parts), rtol=1e-4, atol=1e-4)


def test_a_reset_inside_a_frame_is_refused() -> None:
    with pytest.raises(ValueError, match=r"multiple of a frame \(0\.08 s\)"):
        BlockPlan.of(100, 10, 1.0)


def test_blocks_never_cross_a_reset() -> None:
    plan = BlockPlan(num_frames=10, chunk_frames=4, reset_frames=6)
    assert list(plan.blocks()) == [(0, 4, True), (4, 6, False), (6, 10, True)]


def test_mimi_codes_in_chunks_equal_whole_file_codes(
    short_context_lm: SpeechLM, oracle: Oracle
) -> None:
    from acoustic_event_prediction.speech_lm.temporal import streaming

    waveform = voices(200 * 1920, num_voices=1)[0]
    whole = oracle.codes(waveform)
    mimi = short_context_lm.mimi
    with (
        torch.no_grad(),
        streaming(mimi, mimi.encoder_transformer, batch_size=1, block_steps=50, total_steps=400),
    ):
        blocks = [mimi.encode(part[None, None])[0] for part in waveform.split(25 * 1920)]
    assert (torch.cat(blocks, dim=1) == whole).float().mean() >= 0.999
