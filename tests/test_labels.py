import numpy as np
import pytest

from acoustic_event_prediction.labels import label_before_onset, label_within, onset_distances


def positives(onsets: list[float], num_frames: int, shift_frames: int) -> list[int]:
    labels = label_before_onset(onsets, num_frames, shift_frames)
    assert labels.dtype == np.int8
    assert labels.shape == (num_frames,)
    return np.flatnonzero(labels).tolist()


def test_frames_before_the_onset_are_positive_and_the_onset_frame_is_not() -> None:
    assert positives([0.40], 10, 3) == [2, 3, 4]  # onset in frame 5


def test_onset_on_the_frame_grid_belongs_to_the_frame_it_starts() -> None:
    assert positives([2.32], 40, 1) == [28]  # frame 29, though int(2.32 * 12.5) is 28


def test_onset_in_frame_0_has_no_frame_before_it() -> None:
    assert positives([0.0, 0.05], 10, 5) == []


def test_window_is_clipped_at_the_start_when_the_horizon_is_longer() -> None:
    assert positives([0.17], 10, 25) == [0, 1]  # onset in frame 2


def test_onset_in_the_last_frame_counts() -> None:
    assert positives([0.79], 10, 2) == [7, 8]


def test_overlapping_windows_are_one_union() -> None:
    # Frames 4 and 6: windows 1-3 and 3-5. Frame 4 is an onset, and ahead of the other one.
    assert positives([0.50, 0.33], 10, 3) == [1, 2, 3, 4, 5]


def test_onset_frame_between_two_windows_stays_negative() -> None:
    assert positives([0.33, 0.58], 10, 2) == [2, 3, 5, 6]  # frames 4 and 7


def test_simultaneous_onsets_count_once() -> None:
    assert positives([0.40, 0.41, 0.40], 10, 2) == [3, 4]


def test_without_events_all_frames_are_negative() -> None:
    assert positives([], 10, 3) == []


def test_an_episode_without_frames_has_no_labels() -> None:
    assert positives([], 0, 3) == []


@pytest.mark.parametrize("onset", [-0.1, 0.89, float("nan")])
def test_onset_outside_the_episode_is_refused(onset: float) -> None:
    with pytest.raises(ValueError, match=r"onsets lie in frames|NaN"):
        label_before_onset([onset], 10, 1)


def test_horizon_below_one_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        label_before_onset([0.4], 10, 0)


def test_agrees_with_marking_one_event_after_the_other() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        onset_frames = rng.integers(0, 200, rng.integers(0, 30))
        shift_frames = int(rng.integers(1, 40))
        expected = np.zeros(200, np.int8)
        for frame in onset_frames:
            expected[max(0, frame - shift_frames) : frame] = 1
        labels = label_before_onset(onset_frames * 0.08, 200, shift_frames)
        np.testing.assert_array_equal(labels, expected)


def test_distance_counts_the_frames_to_the_next_onset() -> None:
    # Onsets in frames 2 and 5: in frame 2 the next one is three frames ahead.
    distances = onset_distances([0.17, 0.40], 7)
    assert distances.dtype == np.int16
    assert distances.tolist() == [2, 1, 3, 2, 1, 0, 0]


def test_labels_of_any_horizon_follow_from_the_distances() -> None:
    distances = onset_distances([0.17, 0.40], 7)
    assert label_within(distances, 2).tolist() == [1, 1, 0, 1, 1, 0, 0]
    assert label_within(distances, 3).tolist() == [1, 1, 1, 1, 1, 0, 0]


def test_an_onset_too_far_for_the_format_is_no_onset() -> None:
    distances = onset_distances([40_000 * 0.08], 40_010)
    assert distances[40_000 - 32_768] == 0
    assert distances[40_000 - 32_767] == 32_767
    assert distances[39_999] == 1
