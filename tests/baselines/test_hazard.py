import numpy as np
import pytest

from acoustic_event_prediction.baselines.hazard import NUM_BINS, fit_hazard, time_bins

NEVER = NUM_BINS - 1


def test_bins_double_with_the_time_since_the_last_end() -> None:
    # The event is in frames 1 and 2 (0.10 to 0.24 s); frame 2 is the first that can know of it.
    bins = time_bins([0.10], [0.24], 20)

    assert bins[:2].tolist() == [NEVER, NEVER]
    assert bins[2] == 0
    # 1 frame; 2 and 3; 4 to 7; 8 to 15; from 16 on.
    assert bins[3:].tolist() == [1, 2, 2, 3, 3, 3, 3, *8 * [4], 5, 5]


def test_the_latest_end_counts_not_that_of_the_latest_onset() -> None:
    # A short event (0.32 to 0.40 s) lies inside a long one that ends with frame 9.
    bins = time_bins([0.08, 0.32], [0.80, 0.40], 12)

    assert bins[2:10].tolist() == 8 * [0]
    assert bins[10:].tolist() == [1, 2]


@pytest.mark.parametrize("frame", [0, 1, 5, 9])
def test_a_frame_knows_no_event_that_begins_in_it_or_later(frame: int) -> None:
    past, future = [0.16], [0.56, 0.72]
    offsets = [0.24, 0.60, 0.80]
    heard = [onset for onset in past + future if onset < frame * 0.08 - 1e-9]
    changed = time_bins(heard, offsets[: len(heard)], 10)

    assert time_bins(past + future, offsets, 10)[frame] == changed[frame]


def test_the_hazard_is_the_share_of_positives_by_bin() -> None:
    bins = np.array([0, 0, 1, 1, 1, NEVER])
    labels = np.array([0, 0, 1, 1, 0, 0], np.int8)
    # One third of all frames is positive; each bin counts one frame more, which is so by a third.
    hazard = fit_hazard([(bins[:3], labels[:3]), (bins[3:], labels[3:])])

    share = hazard.positive_share
    assert share[0] == pytest.approx((0 + 1 / 3) / 3)
    assert share[1] == pytest.approx((2 + 1 / 3) / 4)
    assert share[NEVER] == pytest.approx((0 + 1 / 3) / 2)
    assert share[5] == pytest.approx(1 / 3)
    # From frame 2 on the event is known; it has ended with frame 1.
    assert hazard.scores([0.08], [0.16], 4).tolist() == [share[b] for b in (NEVER, NEVER, 1, 2)]


def test_no_frame_is_no_hazard() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        fit_hazard([])
