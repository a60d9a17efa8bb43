"""Nodes of the training pipeline."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.labels import require_labeling
from acoustic_event_prediction.models.checkpoints import Checkpoint
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.history import EpochRecord, best_epoch
from acoustic_event_prediction.models.learner import classifier_weights
from acoustic_event_prediction.models.predictor import (
    ClassifierHeader,
    Predictor,
    PredictorHeader,
    TrainingSummary,
)
from acoustic_event_prediction.models.training_set import count_classes, require_both_classes
from acoustic_event_prediction.params import (
    FeatureExtractionParams,
    LabelingParams,
    LauncherParams,
    StreamParams,
    TrainingParams,
)
from acoustic_event_prediction.progress import Advance, track
from acoustic_event_prediction.speech_lm.provenance import setting_differences
from acoustic_event_prediction.workers.channel import Message
from acoustic_event_prediction.workers.launch import run_workers
from acoustic_event_prediction.workers.train_predictor import TrainingJob

logger = logging.getLogger(__name__)

Partitions = Mapping[str, Callable[[], Array]]
_WORKER = "acoustic_event_prediction.workers.train_predictor"
_ENTRIES = ("features", "labels", "training_checkpoints", "tensorboard")


class TrainingResult(NamedTuple):
    """The predictor of the best epoch, and one row per epoch."""

    predictor: Predictor
    training_history: pd.DataFrame


def train_predictor(
    features: Partitions,
    labels: Partitions,
    feature_summary: Mapping[str, Any],
    label_summary: Mapping[str, Any],
    training: TrainingParams,
    labeling: LabelingParams,
    launcher: LauncherParams,
    feature_extraction: FeatureExtractionParams,
    streams: StreamParams,
    corpus: str,
    worker_catalog: Mapping[str, dict[str, Any]],
) -> TrainingResult:
    """Train the classifier under torchrun and return its best epoch as a predictor.

    Args:
        features: [T, D] of each partition.
        labels: [T] of each partition.
        feature_summary: what the features have in common.
        label_summary: which event, target and horizon the labels are of.
        training: settings.
        labeling: settings of the labels.
        launcher: processes.
        feature_extraction: how the features should have been made; its device is used here as well.
        streams: likewise.
        corpus: name of the corpus, for the predictor's header.
        worker_catalog: resolved catalog entries, for the workers.

    Raises:
        LabelError: the stored labels are of another event, target or horizon.
        TrainingError: the features were made with other settings, labels and features don't belong
            together, or a split can't be used.
        WorkerError: a worker failed.
    """
    require_labeling(label_summary, labeling.model_dump(), "training")
    check_partitions(features, labels)
    changed = setting_differences(feature_summary, feature_extraction, streams)
    if changed:
        raise TrainingError(
            f"the stored features are not those of these settings ({'; '.join(changed)}); run "
            "`kedro run --pipelines feature_extraction`, or give the settings that they have"
        )
    if training.shuffle_labels:
        logger.warning("training.shuffle_labels: this predictor is a control, it can know nothing")
    job = TrainingJob(
        catalog={name: worker_catalog[name] for name in _ENTRIES},
        train=[name for name in sorted(features) if name.startswith("train/")],
        validation=[name for name in sorted(features) if name.startswith("validation/")],
        training=training,
        labeling=labeling,
        timeout_seconds=launcher.timeout_seconds,
        device=feature_extraction.device,
    )
    require_both_classes(
        count_classes(labels[name]() for name in job.train),
        count_classes(labels[name]() for name in job.validation),
    )
    with track("training", training.epochs, "epochs") as advance:
        run_workers(
            *(_WORKER, job, launcher),
            on_message=partial(_report, advance),
            shared_folder=job.open_entry("training_checkpoints").load(),
        )
    checkpoints = job.open_checkpoints()
    history = checkpoints.load("last").header.history
    if len(history) == training.epochs and best_epoch(history) is history[-1]:
        logger.info("the last epoch is the best so far: more training.epochs may give more")
    return TrainingResult(
        make_predictor(checkpoints.load("best"), training, labeling, corpus),
        pd.DataFrame([record.model_dump() for record in history]),
    )


def _report(advance: Advance, message: Message) -> None:
    # An amount of 0 only says that the workers are alive.
    if message["kind"] == "progress" and message["amount"]:
        advance(message["amount"])
    elif message["kind"] == "log":
        logger.info("%s", message["text"])


def check_partitions(features: Partitions, labels: Partitions) -> None:
    """Check that every partition has features and labels of the same number of frames.

    Raises:
        TrainingError: it has not.
    """
    unpaired = sorted(features.keys() ^ labels.keys())
    if unpaired:
        where = "labels" if unpaired[0] in features else "features"
        raise TrainingError(
            f"{len(unpaired)} partitions have only features or only labels, the first: "
            f"{unpaired[0]!r} has no {where}; run "
            "`kedro run --pipelines feature_extraction,labeling` for the same assignments"
        )
    for name in features:
        num_features, num_labels = len(features[name]()), len(labels[name]())
        if num_features != num_labels:
            raise TrainingError(
                f"partition {name!r} has {num_features} frames of features, {num_labels} labels; "
                "run `kedro run --pipelines feature_extraction,labeling`"
            )


def make_predictor(
    checkpoint: Checkpoint, training: TrainingParams, labeling: LabelingParams, corpus: str
) -> Predictor:
    """Return the predictor of a checkpoint's last epoch; its threshold is not chosen yet."""
    weights = classifier_weights(checkpoint.tensors)
    num_features = weights["hidden.0.weight" if training.hidden_dim else "output.weight"].shape[1]
    classifier = FrameClassifier(num_features, hidden_dim=training.hidden_dim)
    classifier.load_state_dict(weights)
    classifier.eval()
    record: EpochRecord = best_epoch(checkpoint.header.history)
    provenance = checkpoint.header.features_provenance
    header = PredictorHeader(
        classifier=ClassifierHeader(num_features=num_features, hidden_dim=training.hidden_dim),
        shift_frames=labeling.shift_frames,
        event=labeling.event,
        target=labeling.target,
        corpus=corpus,
        loss=training.loss_type,
        features=provenance,
        training=TrainingSummary(
            epoch=record.epoch,
            validation_auprc=record.validation_auprc,
            prior=checkpoint.header.prior[0],
            shuffled_labels=training.shuffle_labels,
        ),
    )
    return Predictor(classifier, header)
