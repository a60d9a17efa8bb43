import numpy as np
import pytest

from acoustic_event_prediction.frames import count_frames, frame_at, start_of


def test_every_time_on_the_grid_belongs_to_the_frame_that_starts_there() -> None:
    frames = np.arange(4 * 3600 * 25 // 2)
    assert np.array_equal(frame_at(np.round(frames * 0.08, 2)), frames)
    assert np.array_equal(frame_at(start_of(frames)), frames)


def test_a_time_just_before_the_grid_belongs_to_the_frame_before() -> None:
    assert frame_at([0.079, 0.07999, 2.319]).tolist() == [0, 0, 28]


def test_a_milliseconds_time_falls_where_integer_arithmetic_puts_it() -> None:
    milliseconds = np.arange(100_000)
    assert np.array_equal(frame_at(milliseconds / 1000), milliseconds // 80)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_a_time_that_is_no_number_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        frame_at([1.0, seconds])


@pytest.mark.parametrize(
    ("num_samples", "sample_rate_hz", "num_frames"),
    [(0, 16_000, 0), (1, 16_000, 1), (1280, 16_000, 1), (1281, 16_000, 2), (3528, 44_100, 1)],
)
def test_a_frame_counts_as_soon_as_it_has_begun(
    num_samples: int, sample_rate_hz: int, num_frames: int
) -> None:
    assert count_frames(num_samples, sample_rate_hz) == num_frames


def test_a_long_episode_is_counted_exactly() -> None:
    # 10 h at 44.1 kHz: 450 000 frames; one sample more begins another.
    samples = 10 * 3600 * 44_100
    assert (count_frames(samples, 44_100), count_frames(samples + 1, 44_100)) == (450_000, 450_001)
