"""Mean and scale of the training frames, however they are read."""

import numpy as np
import pytest
import torch

from acoustic_event_prediction.models import scoring
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.statistics import FeatureStatistics, survey
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.shuffled_frames import FramePartition

CPU = torch.device("cpu")


def partition(name: str, rows: np.ndarray) -> FramePartition:
    return FramePartition(name, lambda: rows, np.zeros(len(rows), np.int16))


def statistics_of(*parts: np.ndarray) -> FeatureStatistics:
    train = [partition(f"train/{index}/u", rows) for index, rows in enumerate(parts)]
    outlier = partition("validation/a/u", np.full((5, parts[0].shape[1]), 1e4, np.float32))
    return survey(TrainingSet(train, [outlier], (1,)), Ranks(), CPU)


def test_training_frames_alone_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_BLOCK_BYTES", 7 * 3 * 4)  # seven rows
    rows = np.random.default_rng(0).normal([0, 300, -5], [1, 20, 0.1], (100, 3)).astype(np.float32)
    found = statistics_of(rows[:30], rows[30:31], rows[31:])
    assert found.num_rows == 100
    np.testing.assert_allclose(found.mean, rows.astype(np.float64).mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.scale(), rows.astype(np.float64).std(axis=0), rtol=1e-5)


def test_a_feature_that_does_not_vary_has_no_scale() -> None:
    rows = np.tile(np.array([[0.0, 7.1]], np.float16), (50, 1))
    assert statistics_of(rows[:20], rows[20:]).scale().tolist() == [np.inf, np.inf]


def test_a_small_variation_around_a_large_mean_is_seen() -> None:
    rows = np.array([[1000.0], [1000.5]], np.float16)
    assert statistics_of(rows).scale().tolist() == [0.25]
