"""Records and settings made by hand; a test names only what it is about."""

import torch

from acoustic_event_prediction.corpus.records import AudioFile
from acoustic_event_prediction.corpus_params import IngestionParams, StreamParams
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.predictor import Predictor
from acoustic_event_prediction.models.predictor_header import (
    ClassifierHeader,
    HorizonSummary,
    PredictorHeader,
)
from acoustic_event_prediction.params import (
    EvaluationParams,
    FeatureExtractionParams,
    PredictionParams,
    TrainingParams,
)


def audio_file(**changes: object) -> AudioFile:
    """A record of an audio file that need not exist."""
    values = {
        "path": "a.wav",
        "num_samples": 1,
        "sample_rate_hz": 24_000,
        "num_channels": 1,
        "num_bytes": 1,
        "modified_ns": 0,
        "sha256": "0",
    }
    return AudioFile.model_validate(values | changes)


def extraction_params(**changes: object) -> FeatureExtractionParams:
    """Settings of the extraction: as in conf/base, on the CPU."""
    values = {
        "text": "words",
        "stream_order": "moshi",
        "reset_every_seconds": None,
        "chunk_frames": 256,
        "dtype": "float16",
        "precision": "float32",
        "device": "cpu",
    }
    return FeatureExtractionParams.model_validate(values | changes)


def ingestion_params(**changes: object) -> IngestionParams:
    """Settings of the ingestion, as in conf/base."""
    values = {
        "layout": "podcastfillers",
        "splits": ("train", "validation", "test"),
        "limit": None,
        "exclude_episodes": (),
        "on_invalid": "raise",
        "table": {
            "events": None,
            "split_by": "auto",
            "fractions": {"train": 0.7, "validation": 0.15, "test": 0.15},
            "seed": 0,
            "rttm": "auto",
            "textgrid": "text",
        },
        "hub": {"annotations": "PodcastFillers.csv"},
    }
    return IngestionParams.model_validate(values | changes)


def stream_params(**changes: object) -> StreamParams:
    """Settings of the streams, as in conf/base."""
    values = {
        "source": "auto",
        "min_speaker_share": 0.2,
        "max_users": None,
        "mask_laughter": "both",
    }
    return StreamParams.model_validate(values | changes)


def evaluation_params(**changes: object) -> EvaluationParams:
    """Settings of the evaluation: as in conf/base, with few resamples and rules to try."""
    values = {
        "threshold": "tune",
        "tune_metric": "f1",
        "beta": 2.0,
        "min_recall": 0.5,
        "min_precision": 0.1,
        "max_false_alarms_per_hour": 60.0,
        "bootstrap_samples": 20,
        "bootstrap_unit": "auto",
        "ignore": {"inside_event": False, "tail_seconds": 0.0},
        "alarms": {
            "threshold": "tune",
            "merge_gap_seconds": [0.0],
            "minimum_duration_seconds": [0.08],
            "refractory_seconds": [0.0],
            "tune_metric": "f1",
            "collars_seconds": [0.5],
            "bout_gap_seconds": 5.0,
        },
        "report": {"snippet_seconds": 6.0, "errors_per_episode": 3, "max_megabytes": 20.0},
    }
    return EvaluationParams.model_validate(values | changes)


def prediction_params(**changes: object) -> PredictionParams:
    """Settings of the prediction, as in conf/base."""
    values = {
        "recording": None,
        "tracks": None,
        "turns": None,
        "words": None,
        "laughs": None,
        "channels": "auto",
        "user": None,
        "predictor": None,
        "on_missing": "warn",
        "threshold": None,
        "merge_gap_seconds": None,
        "minimum_duration_seconds": None,
        "refractory_seconds": None,
        "report": {"max_megabytes": 40.0},
    }
    return PredictionParams.model_validate(values | changes)


def training_params(**changes: object) -> TrainingParams:
    """Settings of a training as in the reference: one horizon, features as they are."""
    values = {
        "horizons": None,
        "standardize": False,
        "loss_type": "bce",
        "positive_weight": "auto",
        "focal_alpha": 0.25,
        "focal_gamma": 2.0,
        "reduction": "auto",
        "prior_bias": "auto",
        "hidden_dim": None,
        "dropout": 0.5,
        "batch_size": 32,
        "learning_rate": 0.02,
        "learning_rate_factor": 0.5,
        "learning_rate_patience": 3,
        "weight_decay": 0.01,
        "max_gradient_norm": 1.0,
        "epochs": 6,
        "early_stopping_patience": 6,
        "seed": 1,
        "shuffle_block_gb": 1.0,
        "resident": "auto",
        "resume": False,
        "shuffle_labels": False,
    }
    return TrainingParams.model_validate(values | changes)


def make_predictor(
    num_features: int = 1,
    horizons: tuple[int, ...] = (1,),
    hidden_dim: int | None = None,
    **changes: object,
) -> Predictor:
    """A predictor of Laughter at the first of the horizons, with random weights."""
    torch.manual_seed(0)
    classifier = FrameClassifier(num_features, len(horizons), hidden_dim)
    for parameter in classifier.parameters():
        torch.nn.init.normal_(parameter)
    values = {
        "classifier": ClassifierHeader(
            num_features=num_features, num_horizons=len(horizons), hidden_dim=hidden_dim
        ),
        "is_standardized": False,
        "shift_frames": horizons[0],
        "horizons": [
            HorizonSummary(shift_frames=horizon, epoch=3, validation_auprc=0.25, prior=0.125)
            for horizon in horizons
        ],
        "event": "Laughter",
        "target": "any",
        "corpus": "mine",
        "training": {"loss_type": "bce"},
        "streams": {"source": "auto"},
        "features": {},
    }
    return Predictor(classifier.eval(), PredictorHeader.model_validate(values | changes))
