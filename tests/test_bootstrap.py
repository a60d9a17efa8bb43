import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from acoustic_event_prediction import bootstrap
from acoustic_event_prediction.bootstrap import (
    STATISTICS,
    bootstrap_intervals,
    draw_weights,
    weighted_statistics,
)
from acoustic_event_prediction.curves import group_frames
from acoustic_event_prediction.metrics import frame_metrics

Frames = tuple[npt.NDArray[np.int8], npt.NDArray[np.float64], npt.NDArray[np.int64]]


def make_frames(num_episodes: int, *, num_levels: int, prevalence: float = 0.1) -> Frames:
    """Episodes of different length; the last one has no positive frame."""
    rng = np.random.default_rng(num_levels)
    episodes = np.repeat(np.arange(num_episodes), rng.integers(20, 60, num_episodes))
    labels = (rng.random(episodes.size) < prevalence).astype(np.int8)
    labels[episodes == num_episodes - 1] = 0
    scores = np.floor(rng.random(episodes.size) ** (2 - labels) * num_levels) / num_levels
    order = rng.permutation(episodes.size)
    return labels[order], scores[order], episodes[order]


@pytest.mark.parametrize("num_levels", [1, 4, 10**9])
@pytest.mark.parametrize("block", [1, 7, 1024])
def test_weights_give_what_copied_episodes_give(
    num_levels: int, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "_BLOCK", block)
    labels, scores, episodes = make_frames(6, num_levels=num_levels)
    weights = draw_weights(6, 40, seed=1)
    weights[:, 0] = 0, 0, 0, 0, 0, 6  # one class only
    weights[:, 1] = 1

    weighted = weighted_statistics(group_frames(labels, scores, episodes), weights, 0.5)

    assert tuple(weighted) == STATISTICS
    for resample, multiplicities in enumerate(weights.T.astype(int)):
        copies = np.concatenate(
            [np.flatnonzero(episodes == e) for e, m in enumerate(multiplicities) for _ in range(m)]
        )
        naive = dict(frame_metrics(labels[copies], scores[copies], 0.5))
        for name in STATISTICS:
            expected = np.nan if naive[name] is None else naive[name]
            assert weighted[name][resample] == pytest.approx(expected, abs=1e-9, nan_ok=True), name


def test_every_resample_draws_as_many_episodes_as_there_are() -> None:
    weights = draw_weights(5, 100, seed=0)

    assert weights.shape == (5, 100)
    assert set(weights.sum(axis=0)) == {5.0}


def test_same_seed_gives_the_same_intervals() -> None:
    frames = make_frames(8, num_levels=1000)
    settings: dict[str, Any] = {"threshold": 0.5, "num_resamples": 50}

    first = bootstrap_intervals(*frames, **settings, seed=0)

    assert first == bootstrap_intervals(*frames, **settings, seed=0)
    assert first["auprc"] != bootstrap_intervals(*frames, **settings, seed=1)["auprc"]


def test_interval_is_where_the_middle_95_percent_of_resamples_lie() -> None:
    # Two episodes, all positive and all negative: prevalence is 0, 0.5 or 1 at odds 1 : 2 : 1.
    result = bootstrap_intervals(
        [1, 0], [0.9, 0.1], [0, 1], threshold=0.5, num_resamples=400, seed=0
    )

    assert result["prevalence"] == {"low": 0.0, "high": 1.0, "num_undefined": 0}
    one_class = draw_weights(2, 400, seed=0).max(axis=0) == 2
    assert result["auroc"] == {"low": 1.0, "high": 1.0, "num_undefined": int(one_class.sum())}


def test_frames_of_one_episode_are_drawn_together() -> None:
    # 2 episodes with the same frames: whatever is drawn, nothing changes.
    labels, scores, _ = make_frames(3, num_levels=1000)
    twice = np.concatenate([labels, labels]), np.concatenate([scores, scores])
    episodes = np.repeat([0, 1], labels.size)

    result = bootstrap_intervals(*twice, episodes, threshold=0.5, num_resamples=20, seed=0)

    metrics = frame_metrics(*twice, 0.5)
    assert result["auprc"] is not None
    assert result["auprc"]["low"] == pytest.approx(metrics["auprc"], abs=1e-9)
    assert result["auprc"]["high"] == pytest.approx(metrics["auprc"], abs=1e-9)


@pytest.mark.parametrize(
    ("episodes", "num_resamples", "reason"),
    [([0, 0], 100, "at least 2 episodes, got 1"), ([0, 1], 0, "no resamples")],
)
def test_no_interval_without_episodes_or_resamples(
    episodes: list[int], num_resamples: int, reason: str
) -> None:
    result: dict[str, Any] = dict(
        bootstrap_intervals(
            [0, 1], [0.2, 0.9], episodes, threshold=0.5, num_resamples=num_resamples, seed=0
        )
    )

    for name in STATISTICS:
        assert result[name] is None
        assert reason in result["undefined"][name]


def test_statistic_that_no_resample_defines_is_none_with_a_reason() -> None:
    result = bootstrap_intervals(
        [0, 0, 0], [0.2, 0.9, 0.1], [0, 1, 2], threshold=1.0, num_resamples=10, seed=0
    )

    assert result["auprc"] is None
    assert result["undefined"]["auprc"] == "undefined in all 10 resamples"
    assert result["prevalence"] == {"low": 0.0, "high": 0.0, "num_undefined": 0}
    json.dumps(result, allow_nan=False)
