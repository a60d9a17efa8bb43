"""The predictor file: what goes in comes out, and what doesn't belong is refused."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from acoustic_event_prediction.models import scoring
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.predictor import (
    ClassifierHeader,
    Predictor,
    PredictorError,
    PredictorHeader,
    TrainingSummary,
)


def make_predictor(hidden_dim: int | None = None) -> Predictor:
    torch.manual_seed(0)
    header = PredictorHeader(
        classifier=ClassifierHeader(num_features=4, hidden_dim=hidden_dim),
        shift_frames=2,
        event="Laughter",
        target="any",
        corpus="sample",
        loss="bce",
        features={"checkpoint": "abc", "streams": {"source": "mono"}},
        training=TrainingSummary(
            epoch=3, validation_auprc=0.25, prior=0.125, shuffled_labels=False
        ),
    )
    return Predictor(FrameClassifier(4, hidden_dim=hidden_dim), header)


def some_features(dtype: object = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((50, 4)).astype(dtype)


@pytest.mark.parametrize("hidden_dim", [None, 8])
def test_saved_predictor_scores_as_before(tmp_path: Path, hidden_dim: int | None) -> None:
    predictor = make_predictor(hidden_dim).with_threshold(0.5)
    predictor.save(tmp_path / "predictor.safetensors")
    loaded = Predictor.load(tmp_path / "predictor.safetensors")
    assert loaded.header == predictor.header
    np.testing.assert_array_equal(loaded.scores(some_features()), predictor.scores(some_features()))


def test_scores_are_the_sigmoid_of_the_linear_map() -> None:
    predictor = make_predictor()
    layer = predictor.classifier.output
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    expected = 1 / (1 + np.exp(-(some_features() @ weight[0] + bias[0])))
    scores = predictor.scores(some_features())
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_scores_in_blocks_equal_scores_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_predictor(8).scores(some_features())
    monkeypatch.setattr(scoring, "_BLOCK_BYTES", 7 * 4 * 4)  # seven rows
    np.testing.assert_allclose(make_predictor(8).scores(some_features()), whole, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_features_score_like_their_float32_values(dtype: object) -> None:
    features = some_features(dtype)
    np.testing.assert_array_equal(
        make_predictor().scores(features), make_predictor().scores(features.astype(np.float32))
    )


def test_memory_mapped_features_are_accepted(tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", some_features())
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        make_predictor().scores(mapped), make_predictor().scores(some_features())
    )


def test_no_frames_give_no_scores() -> None:
    assert make_predictor().scores(np.zeros((0, 4), np.float16)).shape == (0,)


def test_features_of_another_width_are_refused_with_both_numbers() -> None:
    with pytest.raises(PredictorError, match=r"\[T, 4\].*\[50, 3\]"):
        make_predictor().scores(some_features()[:, :3])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_features_are_refused_with_the_frame(value: float) -> None:
    features = some_features()
    features[7, 2] = value
    with pytest.raises(PredictorError, match=r"frame 7 .*extract them again"):
        make_predictor().scores(features)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictor.safetensors"
    make_predictor().save(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(PredictorError, match=r"damaged.*kedro run --pipelines training"):
        Predictor.load(path)


def test_missing_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match="kedro run --pipelines training"):
        Predictor.load(tmp_path / "nothing.safetensors")


def test_foreign_file_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(PredictorError, match="no predictor of this project"):
        Predictor.load(tmp_path / "foreign.safetensors")


def test_pickle_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(PredictorError, match="no predictor of this project"):
        Predictor.load(tmp_path / "model.pt")


def test_header_that_does_not_fit_the_weights_is_refused(tmp_path: Path) -> None:
    header = make_predictor(8).header
    Predictor(make_predictor().classifier, header).save(tmp_path / "mixed.safetensors")
    with pytest.raises(PredictorError, match="damaged"):
        Predictor.load(tmp_path / "mixed.safetensors")


def test_threshold_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold"):
        make_predictor().with_threshold(1.5)
