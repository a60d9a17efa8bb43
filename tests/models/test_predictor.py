"""The predictor file: what goes in comes out, and what doesn't belong is refused."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests.made import make_predictor

from acoustic_event_prediction.models import scoring
from acoustic_event_prediction.models.predictor import Predictor, PredictorError
from acoustic_event_prediction.models.tensor_file import write_tensors

FEATURES = {"checkpoint": {"sha256": "abc"}, "feature_extraction": {"text": "words"}}


def make(hidden_dim: int | None = None) -> Predictor:
    predictor = make_predictor(4, (2, 5), hidden_dim, features=FEATURES)
    predictor.classifier.standardize(torch.tensor([0.0, 1, 2, 3]), torch.tensor([1.0, 2, 3, 4]))
    return predictor


def some_features(dtype: object = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((50, 4)).astype(dtype)


@pytest.mark.parametrize("hidden_dim", [None, 8])
def test_saved_predictor_scores_as_before(tmp_path: Path, hidden_dim: int | None) -> None:
    predictor = make(hidden_dim).with_threshold(0.5, "f1")
    predictor.save(tmp_path / "predictor.safetensors")
    loaded = Predictor.load(tmp_path / "predictor.safetensors")
    assert loaded.header == predictor.header
    np.testing.assert_array_equal(loaded.scores(some_features()), predictor.scores(some_features()))


def test_scores_are_the_sigmoid_of_the_linear_map() -> None:
    predictor = make()
    weight, bias = (p.detach().numpy() for p in predictor.classifier.parameters())
    standardized = (some_features() - [0, 1, 2, 3]) / [1, 2, 3, 4]
    expected = 1 / (1 + np.exp(-(standardized @ weight[:, 0].T + bias[:, 0])))
    scores = predictor.horizon_scores(some_features())
    assert (scores.shape, scores.dtype) == ((50, 2), np.float32)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_scores_are_those_of_the_main_horizon() -> None:
    for main, column in ((2, 0), (5, 1)):
        predictor = make()
        header = predictor.header.model_copy(update={"shift_frames": main})
        moved = Predictor(predictor.classifier, header)
        expected = predictor.horizon_scores(some_features())[:, column]
        np.testing.assert_array_equal(moved.scores(some_features()), expected)


def test_scores_in_blocks_equal_scores_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make(8).scores(some_features())
    monkeypatch.setattr(scoring, "_BLOCK_BYTES", 7 * 4 * 4)  # seven rows
    np.testing.assert_allclose(make(8).scores(some_features()), whole, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_features_score_like_their_float32_values(dtype: object) -> None:
    features = some_features(dtype)
    np.testing.assert_array_equal(
        make().scores(features), make().scores(features.astype(np.float32))
    )


def test_memory_mapped_features_are_accepted(tmp_path: Path) -> None:
    np.save(tmp_path / "features.npy", some_features())
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    np.testing.assert_array_equal(make().scores(mapped), make().scores(some_features()))


def test_no_frames_give_no_scores() -> None:
    assert make().scores(np.zeros((0, 4), np.float16)).shape == (0,)


def test_features_of_another_width_are_refused_with_both_numbers() -> None:
    with pytest.raises(PredictorError, match=r"\[T, 4\].*\[50, 3\]"):
        make().scores(some_features()[:, :3])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_features_are_refused_with_the_frame(value: float) -> None:
    features = some_features()
    features[7, 2] = value
    with pytest.raises(PredictorError, match=r"frame 7 .*extract them again"):
        make().scores(features)


def test_broken_weights_are_not_taken_for_broken_features() -> None:
    predictor = make()
    with torch.no_grad():
        predictor.classifier.weight[0, 0, 0] = np.nan
    with pytest.raises(PredictorError, match=r"no finite score for frame 0, whose features are fi"):
        predictor.scores(some_features())


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictor.safetensors"
    make().save(path)
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
    header = make(8).header
    Predictor(make().classifier, header).save(tmp_path / "mixed.safetensors")
    with pytest.raises(PredictorError, match="damaged"):
        Predictor.load(tmp_path / "mixed.safetensors")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("event", "\x1b[2JLaughter", r"a text in event holds control.*'\\x1b\[2JLaughter'"),
        ("package_version", "x" * 1001, "package_version has 1001 characters, more than 1000"),
        ("checkpoint_folder", "/a\nb", "checkpoint_folder holds control"),
        ("features", {"checkpoint": {"sha256": {"\x9b31m": "0"}}}, r"features holds.*'\\x9b31m'"),
        ("training", {"loss_type": ["\x07"]}, "training holds control"),
        ("\x1b[31m", 1, r"the header holds.*'\\x1b\[31m'"),
    ],
)
def test_texts_that_cannot_be_shown_are_refused(
    tmp_path: Path, field: str, value: object, message: str
) -> None:
    predictor = make()
    weights = predictor.classifier.state_dict()
    header = predictor.header.model_dump() | {field: value}
    path = tmp_path / "predictor.safetensors"
    write_tensors(path, weights, key="predictor", text=json.dumps(header))
    with pytest.raises(PredictorError, match=message) as raised:
        Predictor.load(path)
    assert str(raised.value).replace("\n", "").isprintable()


def test_names_of_unknown_weights_are_escaped(tmp_path: Path) -> None:
    predictor = make()
    weights = predictor.classifier.state_dict() | {"\x1b[31m": torch.zeros(1)}
    path = tmp_path / "predictor.safetensors"
    write_tensors(path, weights, key="predictor", text=predictor.header.model_dump_json())
    with pytest.raises(PredictorError, match=r"unknown weights, the first: '\\x1b\[31m'"):
        Predictor.load(path)


def test_threshold_outside_0_and_1_is_refused() -> None:
    with pytest.raises(ValueError, match="threshold"):
        make().with_threshold(1.5, None)


def test_features_made_as_those_of_the_training_are_accepted() -> None:
    make().require_features(FEATURES)


def test_features_of_other_settings_are_refused_with_every_difference() -> None:
    other = {"checkpoint": {"sha256": "def"}, "feature_extraction": {"text": "none"}}
    message = r"checkpoint.sha256 was 'abc' and is 'def'; .*text was 'words' and is 'none'.*train"
    with pytest.raises(PredictorError, match=message):
        make().require_features(other)


def test_a_main_horizon_without_an_output_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shift_frames=3 is none of the horizons \(2, 5\)"):
        make_predictor(4, (2, 5), shift_frames=3)
