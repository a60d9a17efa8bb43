"""Nodes of the training pipeline."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import pandas as pd

from acoustic_event_prediction.baselines.provenance import summary_differences
from acoustic_event_prediction.corpus_params import StreamParams
from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.labels import require_labeling
from acoustic_event_prediction.models.checkpoints import CheckpointFolder, CheckpointHeader
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.history import History, auprcs, best_epoch
from acoustic_event_prediction.models.learner import CLASSIFIER, load_classifier
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.models.predictor_header import (
    ClassifierHeader,
    HorizonSummary,
    PredictorHeader,
)
from acoustic_event_prediction.models.training_set import count_classes, require_both_classes
from acoustic_event_prediction.params import (
    CheckpointParams,
    FeatureExtractionParams,
    LabelingParams,
    LauncherParams,
    TrainingParams,
)
from acoustic_event_prediction.progress import Advance, track
from acoustic_event_prediction.speech_lm.provenance import setting_differences
from acoustic_event_prediction.workers.channel import Message
from acoustic_event_prediction.workers.launch import run_workers
from acoustic_event_prediction.workers.train_predictor import FRAMES_PER_STEP, TrainingJob

logger = logging.getLogger(__name__)

Partitions = Mapping[str, Callable[[], Array]]
_WORKER = "acoustic_event_prediction.workers.train_predictor"
_ENTRIES = ("features", "labels", "onset_distances", "training_checkpoints", "tensorboard")


class TrainingResult(NamedTuple):
    """The predictor of the best epoch, and one row per epoch and horizon."""

    predictor: Predictor
    training_history: pd.DataFrame


def train_predictor(
    features: Partitions,
    labels: Partitions,
    onset_distances: Partitions,
    feature_summary: Mapping[str, Any],
    label_summary: Mapping[str, Any],
    training: TrainingParams,
    labeling: LabelingParams,
    launcher: LauncherParams,
    feature_extraction: FeatureExtractionParams,
    streams: StreamParams,
    checkpoint: CheckpointParams,
    corpus: str,
    worker_catalog: Mapping[str, dict[str, Any]],
) -> TrainingResult:
    """Train the classifier under torchrun and return its best epoch as a predictor.

    With `training.horizons`, one classifier per horizon is trained in the same pass.

    Args:
        features: [T, D] of each partition.
        labels: [T] of each partition.
        onset_distances: frames to the next onset, [T] of each partition: labels of other horizons.
        feature_summary: what the features have in common.
        label_summary: which event, target and horizon the labels are of.
        training: settings.
        labeling: settings of the labels.
        launcher: processes.
        feature_extraction: how the features should have been made; its device is used here as well.
        streams: likewise.
        checkpoint: where it lies, for the predictor's header.
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
    check_partitions(features, onset_distances)
    kind = feature_summary.get("kind")
    changed = (
        summary_differences(feature_summary, kind, feature_extraction, streams)
        if kind
        else setting_differences(feature_summary, feature_extraction, streams)
    )
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
    train, validation = (
        count_classes(
            (job.read_distances(name, labels[name], onset_distances[name]) for name in names),
            job.horizons,
        )
        for names in (job.train, job.validation)
    )
    require_both_classes(train, validation, job.horizons)
    with track("training", training.epochs, "epochs") as advance:
        run_workers(
            *(_WORKER, job, launcher),
            on_message=partial(_report, advance),
            shared_folder=job.open_entry("training_checkpoints").load(),
        )
    checkpoints = job.open_checkpoints()
    predictor = make_predictor(checkpoints, job, streams, checkpoint, corpus)
    _recommend(predictor, training)
    return TrainingResult(predictor, _history_table(checkpoints.load("last").header.history))


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
    checkpoints: CheckpointFolder,
    job: TrainingJob,
    streams: StreamParams,
    checkpoint: CheckpointParams,
    corpus: str,
) -> Predictor:
    """Return each horizon's best epoch as a predictor; its threshold is not chosen yet."""
    training, header = job.training, checkpoints.load("last").header
    tensors = checkpoints.load("best").tensors
    shape = ClassifierHeader(
        num_features=len(tensors[f"{CLASSIFIER}mean"]),
        num_horizons=len(job.horizons),
        hidden_dim=training.hidden_dim,
    )
    classifier = FrameClassifier(**shape.model_dump())
    load_classifier(classifier, tensors)
    classifier.eval()
    return Predictor(
        classifier,
        PredictorHeader(
            classifier=shape,
            is_standardized=training.standardize,
            shift_frames=job.labeling.shift_frames,
            horizons=_summaries(header, training.early_stopping_patience),
            event=job.labeling.event,
            target=job.labeling.target,
            corpus=corpus,
            training=training.model_dump(exclude={"horizons", "resume", "resident", "batch_size"})
            | {"frames_per_step": header.settings[FRAMES_PER_STEP]},
            streams=streams.model_dump(),
            features=header.features_provenance,
            checkpoint_folder=checkpoint.directory,
        ),
    )


def _summaries(header: CheckpointHeader, patience: int) -> tuple[HorizonSummary, ...]:
    summaries = []
    for index, prior in enumerate(header.prior):
        values = auprcs(header.history, index)
        epoch = best_epoch(values, patience)
        summaries.append(
            HorizonSummary(
                shift_frames=header.history[0].horizons[index].shift_frames,
                epoch=epoch,
                validation_auprc=values[epoch - 1],
                prior=prior,
            )
        )
    return tuple(summaries)


def _history_table(history: History) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"epoch": record.epoch, **part.model_dump(), "seconds": record.seconds}
            for record in history
            for part in record.horizons
        ]
    )


def _recommend(predictor: Predictor, training: TrainingParams) -> None:
    late = [item for item in predictor.header.horizons if item.epoch == training.epochs]
    if late:
        where = ", ".join(str(item.shift_frames) for item in late)
        logger.info(
            "the last epoch is the best so far (horizon of %s frames): more training.epochs may "
            "give more",
            where,
        )
