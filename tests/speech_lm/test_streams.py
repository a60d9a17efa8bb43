import numpy as np
import pytest
import torch

from acoustic_event_prediction.speech_lm.streams import (
    SpanMask,
    StreamKey,
    pair_streams,
    silence_after,
    stack_streams,
)


def test_row_one_is_the_systems_voice() -> None:
    text = torch.zeros(1, 5, dtype=torch.long)
    system, user = torch.full((1, 8, 5), 1), torch.full((1, 8, 5), 2)
    rows = stack_streams(text=text, system=system, user=user)
    assert rows[0, :, 0].tolist() == [0] + [1] * 8 + [2] * 8


def test_the_reference_order_puts_the_user_first() -> None:
    text = torch.zeros(1, 5, dtype=torch.long)
    system, user = torch.full((1, 8, 5), 1), torch.full((1, 8, 5), 2)
    rows = stack_streams(text=text, system=system, user=user, order="reference")
    assert rows[0, :, 0].tolist() == [0] + [2] * 8 + [1] * 8


def test_streams_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 8, 5\).*\(1, 8, 4\)"):
        stack_streams(
            text=torch.zeros(1, 5), system=torch.zeros(1, 8, 5), user=torch.zeros(1, 8, 4)
        )


def test_a_stream_that_has_ended_gives_the_no_input_token() -> None:
    codes = torch.zeros(2, 1, 4, dtype=torch.long)
    ended = silence_after(codes, torch.tensor([2, 9]), no_input=-1)
    assert ended[:, 0].tolist() == [[0, 0, -1, -1], [0, 0, 0, 0]]


def test_a_span_covers_its_samples_and_no_more() -> None:
    mask = SpanMask([(0.5, 1.0), (0.8, 1.2)], sample_rate_hz=10)
    assert np.flatnonzero(mask.block(0, 20)).tolist() == [5, 6, 7, 8, 9, 10, 11]


def test_a_mask_does_not_depend_on_the_blocks() -> None:
    mask = SpanMask([(0.05, 0.31), (0.7, 0.9)], sample_rate_hz=100)
    whole = mask.block(0, 100)
    parts = [mask.block(start, 7) for start in range(0, 98, 7)]
    assert np.array_equal(whole[:98], np.concatenate(parts))


def test_a_span_starts_at_the_sample_of_its_time_in_spite_of_binary_fractions() -> None:
    # 12.013 s * 24 kHz = 288312, in floating point 288311.99999999994.
    block = SpanMask([(12.013, 12.1)]).block(288_311, 2)
    assert block.tolist() == [False, True]


def test_both_assignments_of_two_speakers_share_two_streams() -> None:
    first = pair_streams("A", ["B"], "both")
    second = pair_streams("B", ["A"], "both")
    assert {*first} == {*second}
    assert first.user == StreamKey(("A",), masks_laughter=True)


def test_only_the_systems_laughs_are_masked_when_asked() -> None:
    pair = pair_streams("A", ["B"], "system")
    assert (pair.system.masks_laughter, pair.user.masks_laughter) == (True, False)
