"""The training loop on one process: it learns, notices broken numbers, and can go on."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from tests.made import training_params

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models import learner, residency
from acoustic_event_prediction.models.learner import is_per_horizon
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.scoring import compute_logits, to_scores
from acoustic_event_prediction.models.trainer import Trainer
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.shuffled_frames import FramePartition

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small gain nothing from threads, which only compete with the reader."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_partition(name: str, num_frames: int) -> FramePartition:
    """A frame is positive when its first feature is large: a linear classifier can tell."""
    features = np.random.default_rng(len(name) + num_frames).standard_normal((num_frames, 6))
    # Farther ahead, fainter: 1 from 1.5 on, 2 from 1.0 on, 3 from 0.5 on.
    distances = np.select([features[:, 0] > 2 - step / 2 for step in (1, 2, 3)], [1, 2, 3], 0)
    return FramePartition(name, lambda: features.astype(np.float16), distances.astype(np.int16))


def make_set(horizons: tuple[int, ...] = (2,)) -> TrainingSet:
    return TrainingSet(
        [make_partition("train/a/u", 300), make_partition("train/b/u", 207)],
        [make_partition("validation/c/u", 150), make_partition("validation/d/u", 90)],
        horizons,
    )


def make_trainer(training_set: TrainingSet | None = None, **changes: object) -> Trainer:
    return Trainer(training_set or make_set(), training_params(**changes), Ranks(), CPU)


def train(trainer: Trainer) -> Trainer:
    while not trainer.is_finished:
        trainer.run_epoch()
    return trainer


def broken(partition: FramePartition, value: float) -> FramePartition:
    features = partition.load_features()
    features[11, 3] = value
    return partition._replace(load_features=lambda: features)


def is_positive(parts: Sequence[FramePartition], horizon: int) -> np.ndarray:
    distances = np.concatenate([part.distances for part in parts])
    return (distances > 0) & (distances <= horizon)


@pytest.mark.parametrize("loss_type", ["bce", "focal", "adaptive_focal"])
@pytest.mark.parametrize("hidden_dim", [None, 16])
def test_separable_frames_are_learnt(loss_type: str, hidden_dim: int | None) -> None:
    trainer = train(make_trainer(loss_type=loss_type, hidden_dim=hidden_dim))
    assert [record.epoch for record in trainer.history] == [1, 2, 3, 4, 5, 6]
    first, last = trainer.history[0].horizons[0], trainer.history[-1].horizons[0]
    assert last.train_loss < first.train_loss
    assert last.validation_auprc > 0.85


def test_validation_measures_agree_with_scikit_learn() -> None:
    trainer = make_trainer(make_set((1, 3)))
    trainer.run_epoch()
    parts = make_set().validation
    classifier = trainer.learner.classifier
    scores = np.concatenate(
        [to_scores(compute_logits(classifier, p.load_features())) for p in parts]
    )
    for index, record in enumerate(trainer.history[0].horizons):
        truth = is_positive(parts, record.shift_frames)
        expected = average_precision_score(truth, scores[:, index])
        assert record.validation_auprc == pytest.approx(expected)
        assert record.validation_auroc == pytest.approx(roc_auc_score(truth, scores[:, index]))


def test_first_batch_loss_is_the_mean_over_its_frames() -> None:
    # One batch holds all 507 frames; the classifier starts at zero.
    trainer = make_trainer(batch_size=507, loss_type="bce")
    curves = trainer.run_epoch()
    labels = torch.from_numpy(is_positive(make_set().train, 2)).float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        torch.zeros(507), labels, pos_weight=(1 - labels).sum() / labels.sum()
    )
    assert curves.loss.tolist() == [[pytest.approx(expected.item(), rel=1e-5)]]
    train_loss = trainer.history[0].horizons[0].train_loss
    assert train_loss == pytest.approx(expected.item(), rel=1e-5)


def test_focal_starts_from_the_prior_and_bce_does_not_unless_told() -> None:
    prior = torch.logit(torch.tensor(make_trainer().counts.prior))

    def bias(**changes: object) -> torch.Tensor:
        return make_trainer(**changes).learner.classifier.bias[:, 0].detach()

    assert torch.allclose(bias(loss_type="focal"), prior)
    assert torch.equal(bias(), torch.zeros(1))
    assert torch.allclose(bias(prior_bias=True), prior)
    assert torch.equal(bias(loss_type="focal", prior_bias=False), torch.zeros(1))


@pytest.mark.parametrize("loss_type", ["bce", "focal", "adaptive_focal"])
@pytest.mark.parametrize("hidden_dim", [None, 16])
def test_each_horizon_learns_what_it_learns_alone(loss_type: str, hidden_dim: int | None) -> None:
    # Soon the rates differ, and gradients of a batch of 32 are clipped.
    changes: dict[str, object] = {
        "loss_type": loss_type,
        "hidden_dim": hidden_dim,
        "epochs": 12,
        "early_stopping_patience": 12,
        "learning_rate_patience": 0,
        "max_gradient_norm": 0.3,
        "standardize": True,
    }
    together = train(make_trainer(make_set((1, 2, 3)), **changes))
    rates = {part.learning_rate for part in together.history[-1].horizons}
    assert len(rates) > 1
    weights = together.learner.classifier.state_dict()
    for index, horizon in enumerate((1, 2, 3)):
        alone = train(make_trainer(make_set((horizon,)), **changes))
        for name, weight in alone.learner.classifier.state_dict().items():
            mine = weights[name][index : index + 1] if is_per_horizon(name) else weights[name]
            torch.testing.assert_close(mine, weight, rtol=1e-4, atol=1e-5)
        for mine, other in zip(together.history, alone.history, strict=True):
            assert mine.horizons[index].learning_rate == other.horizons[0].learning_rate


def test_batches_in_pieces_learn_what_whole_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(make_trainer(make_set((1, 3)), batch_size=100))
    monkeypatch.setitem(learner._PIECE_BYTES, "cpu", 7 * 6 * 4)  # seven rows
    pieces = train(make_trainer(make_set((1, 3)), batch_size=100))
    for name, weight in whole.learner.classifier.state_dict().items():
        other = pieces.learner.classifier.state_dict()[name]
        torch.testing.assert_close(other, weight, rtol=1e-4, atol=1e-5)


def test_frames_in_memory_give_the_same_classifier_as_frames_that_are_read() -> None:
    read = train(make_trainer(resident=False, standardize=True))
    held = train(make_trainer(resident=True, standardize=True))
    assert (read.is_resident, held.is_resident) == (False, True)
    for name, weight in read.learner.classifier.state_dict().items():
        assert torch.equal(held.learner.classifier.state_dict()[name], weight), name


def test_small_sets_stay_in_memory_and_larger_ones_than_a_block_do_not() -> None:
    num_bytes = (300 + 207 + 150 + 90) * 6 * 2
    assert make_trainer(shuffle_block_gb=num_bytes / 1e9).is_resident
    assert not make_trainer(shuffle_block_gb=(num_bytes - 1) / 1e9).is_resident


def test_features_that_do_not_fit_into_memory_are_not_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(residency, "_free_bytes", lambda device: 8963)
    with pytest.raises(TrainingError, match=r"0\.0 GB of free memory; set training\.resident=auto"):
        make_trainer(resident=True)


def test_a_feature_that_does_not_vary_learns_nothing_and_says_nothing() -> None:
    def with_constant(part: FramePartition, value: float) -> FramePartition:
        features = np.asarray(part.load_features()).copy()
        features[:, 4] = value
        return part._replace(load_features=lambda: features)

    good = make_set()
    train_parts = [with_constant(part, 3000.0) for part in good.train]
    trainer = make_trainer(good._replace(train=train_parts), standardize=True)
    train(trainer)
    classifier = trainer.learner.classifier
    assert classifier.weight[0, 0, 4] == 0
    usual, other = (
        compute_logits(classifier, with_constant(good.validation[0], value).load_features())
        for value in (3000.0, -60000.0)
    )
    assert np.array_equal(usual, other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_features_of_either_split_are_named_before_the_first_step(value: float) -> None:
    good = make_set()
    broken_train = good._replace(train=[good.train[0], broken(good.train[1], value)])
    with pytest.raises(TrainingError, match=r"1 partitions .*'train/b/u'.*extract them again"):
        make_trainer(broken_train)
    validation = [broken(good.validation[0], value), good.validation[1]]
    with pytest.raises(TrainingError, match=r"1 partitions .*'validation/c/u'"):
        make_trainer(good._replace(validation=validation))


def test_diverging_training_names_epoch_step_and_learning_rate() -> None:
    with pytest.raises(TrainingError, match=r"epoch 1, step 2, .*training.learning_rate=3e\+38"):
        make_trainer(learning_rate=3e38).run_epoch()


def test_one_class_validation_is_refused_before_any_epoch() -> None:
    good = make_set()
    silent = good.validation[0]._replace(distances=np.zeros(150, np.int16))
    with pytest.raises(TrainingError, match=r"validation frame is positive.*0 of 150"):
        make_trainer(good._replace(validation=[silent]))


def test_a_gradient_that_is_too_long_is_shortened_to_the_norm() -> None:
    short = make_trainer(batch_size=507, max_gradient_norm=1e-9)
    free = make_trainer(batch_size=507, max_gradient_norm=None)
    assert short.run_epoch().gradient_norm == pytest.approx(free.run_epoch().gradient_norm)
    # Adam's first step is the rate, whatever the length, unless that is below its epsilon of 1e-8.
    weight = short.learner.classifier.weight.abs().max()
    assert weight < 0.2 * 0.02 < free.learner.classifier.weight.abs().max()


@pytest.mark.parametrize("hidden_dim", [None, 16])
def test_restored_trainer_ends_where_an_undisturbed_one_does(hidden_dim: int | None) -> None:
    whole = train(make_trainer(make_set((1, 3)), hidden_dim=hidden_dim))
    half = train(make_trainer(make_set((1, 3)), hidden_dim=hidden_dim, epochs=3))
    continued = make_trainer(make_set((1, 3)), hidden_dim=hidden_dim)
    continued.learner.restore(half.learner.state())
    continued.history = list(half.history)
    train(continued)
    for name, weight in whole.learner.state().items():
        assert torch.equal(continued.learner.state()[name], weight), name
    for mine, other in zip(continued.history, whole.history, strict=True):
        assert mine.horizons == other.horizons
