"""The training loop on one process: it learns, notices broken numbers, and can go on."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.learner import Learner
from acoustic_event_prediction.models.losses import ClassCounts, make_loss
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.scoring import compute_logits, to_scores
from acoustic_event_prediction.models.trainer import Trainer
from acoustic_event_prediction.models.training_set import TrainingSet
from acoustic_event_prediction.params import TrainingParams
from acoustic_event_prediction.shuffled_frames import FramePartition

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Matrices this small gain nothing from threads, which only compete with the reader."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_params(**changes: object) -> TrainingParams:
    settings = {
        "loss_type": "bce",
        "focal_alpha": 0.25,
        "focal_gamma": 2.0,
        "hidden_dim": None,
        "batch_size": 32,
        "learning_rate": 0.02,
        "weight_decay": 0.01,
        "epochs": 6,
        "early_stopping_patience": 6,
        "seed": 1,
        "resume": False,
        "shuffle_labels": False,
    }
    return TrainingParams.model_validate(settings | changes)


def make_partition(name: str, num_frames: int, horizons: int = 1) -> FramePartition:
    """A frame is positive when its first feature is large: a linear classifier can tell."""
    features = np.random.default_rng(len(name) + num_frames).standard_normal((num_frames, 6))
    labels = (features[:, :horizons] > 1).astype(np.int8)
    return FramePartition(name, lambda: features.astype(np.float16), labels)


def make_set(horizons: int = 1) -> TrainingSet:
    return TrainingSet(
        [make_partition("train/a/u", 300, horizons), make_partition("train/b/u", 207, horizons)],
        [make_partition("validation/c/u", 150, horizons), make_partition("validation/d/u", 90)],
    )


def make_trainer(training_set: TrainingSet | None = None, **changes: object) -> Trainer:
    return Trainer(training_set or make_set(), make_params(**changes), Ranks(), CPU)


def train(trainer: Trainer) -> Trainer:
    while not trainer.is_finished:
        trainer.run_epoch()
    return trainer


def broken(partition: FramePartition, value: float) -> FramePartition:
    features = partition.load_features()
    features[11, 3] = value
    return partition._replace(load_features=lambda: features)


@pytest.mark.parametrize("loss_type", ["bce", "focal", "adaptive_focal"])
@pytest.mark.parametrize("hidden_dim", [None, 16])
def test_separable_frames_are_learnt(loss_type: str, hidden_dim: int | None) -> None:
    trainer = train(make_trainer(loss_type=loss_type, hidden_dim=hidden_dim))
    assert [record.epoch for record in trainer.history] == [1, 2, 3, 4, 5, 6]
    assert trainer.history[-1].train_loss < trainer.history[0].train_loss
    assert trainer.history[-1].validation_auprc > 0.85


def test_validation_measures_agree_with_scikit_learn() -> None:
    trainer = make_trainer()
    trainer.run_epoch()
    parts = make_set().validation
    classifier = trainer.learner.classifier
    scores = np.concatenate(
        [to_scores(compute_logits(classifier, p.load_features())) for p in parts]
    )
    labels = np.concatenate([p.labels for p in parts])
    record = trainer.history[0]
    assert record.validation_auprc == pytest.approx(average_precision_score(labels, scores))
    assert record.validation_auroc == pytest.approx(roc_auc_score(labels, scores))


def test_first_batch_loss_is_the_mean_over_its_frames() -> None:
    # One batch holds all 507 frames; an untrained focal output is near its prior.
    trainer = make_trainer(batch_size=507, loss_type="bce")
    classifier = FrameClassifier(6)
    classifier.load_state_dict(trainer.learner.classifier.state_dict())
    curves = trainer.run_epoch()
    parts = make_set().train
    logits = torch.from_numpy(
        np.concatenate([compute_logits(classifier, p.load_features()) for p in parts])
    )
    labels = torch.from_numpy(np.concatenate([p.labels for p in parts])).float()
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, labels, pos_weight=(1 - labels).sum() / labels.sum()
    )
    assert curves.loss.tolist() == pytest.approx([expected.item()], rel=1e-5)
    assert trainer.history[0].train_loss == pytest.approx(expected.item(), rel=1e-5)


def test_focal_starts_from_the_prior_and_bce_does_not() -> None:
    prior = torch.logit(torch.tensor(make_trainer().counts.prior))
    assert torch.allclose(make_trainer(loss_type="focal").learner.classifier.output.bias, prior)
    assert not torch.allclose(make_trainer().learner.classifier.output.bias, prior)


def test_two_horizons_are_trained_side_by_side() -> None:
    training_set = make_set(horizons=2)
    both = TrainingSet(training_set.train, training_set.validation[:1])
    trainer = train(make_trainer(both))
    assert trainer.learner.classifier.num_horizons == 2
    assert trainer.history[-1].validation_auprc > 0.8


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_training_features_are_named(value: float) -> None:
    good = make_set()
    broken_set = good._replace(train=[good.train[0], broken(good.train[1], value)])
    with pytest.raises(TrainingError, match=r"1 partitions .*'train/b/u'.*epoch 1, step"):
        make_trainer(broken_set).run_epoch()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_broken_validation_features_are_named(value: float) -> None:
    good = make_set()
    broken_set = good._replace(validation=[broken(good.validation[0], value), good.validation[1]])
    with pytest.raises(TrainingError, match=r"'validation/c/u'.*frame 11"):
        make_trainer(broken_set).run_epoch()


def test_diverging_training_names_epoch_step_and_learning_rate() -> None:
    with pytest.raises(TrainingError, match=r"epoch 1, step 2, .*training.learning_rate=3e\+38"):
        make_trainer(learning_rate=3e38).run_epoch()


def test_one_class_validation_is_refused_before_any_epoch() -> None:
    good = make_set()
    silent = good.validation[0]._replace(labels=np.zeros((150, 1), np.int8))
    with pytest.raises(TrainingError, match=r"validation frame is positive.*0 of 150"):
        make_trainer(good._replace(validation=[silent]))


def test_learning_rate_halves_after_four_epochs_without_gain() -> None:
    counts = ClassCounts(10, (1,))
    loss = make_loss("bce", counts, focal_alpha=0.25, focal_gamma=2)
    learner = Learner(FrameClassifier(2), loss, make_params(learning_rate=0.1), Ranks())
    rates = []
    for auprc in (0.5, 0.4, 0.4, 0.4, 0.4, 0.4):
        learner.end_epoch(auprc)
        rates.append(learner.learning_rate)
    assert rates == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05]


@pytest.mark.parametrize("hidden_dim", [None, 16])
def test_restored_trainer_ends_where_an_undisturbed_one_does(hidden_dim: int | None) -> None:
    whole = train(make_trainer(hidden_dim=hidden_dim))
    half = train(make_trainer(hidden_dim=hidden_dim, epochs=3))
    state, tensors = half.learner.state()
    continued = make_trainer(hidden_dim=hidden_dim)
    continued.learner.restore(state, tensors)
    continued.history = list(half.history)
    train(continued)
    for name, weight in whole.learner.state()[1].items():
        assert torch.equal(continued.learner.state()[1][name], weight), name
    assert [r.validation_auprc for r in continued.history] == [
        r.validation_auprc for r in whole.history
    ]
