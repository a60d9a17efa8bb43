"""Predict that a laugh is about to begin in a conversation, from audio that has already been heard.

Reading order: `pipeline_registry`, one `pipelines/<stage>/pipeline.py`, one node, the domain module
that it calls.

    frames            seconds, samples and frames: the only place where a time becomes a frame
    params            every setting, typed
    errors            what a user, a file or a setting can cause
    audio             audio files -> mono blocks at the model's rate; `audio_channels` tells whether
                      channels are speakers
    corpus/           raw corpora -> episodes, events, turns, words
    assignments       who is the user, who the system
    labels            onsets -> labels per frame
    atomic            files that appear whole or not at all; `atomic_folder` for folders
    frame_arrays      arrays on disk, one row per frame, memory-mapped, with provenance
    shuffled_frames   frames of all partitions in random order, in bounded memory
    speech_lm/        Mimi and Moshi: streams -> features
    models/           classifier, losses, training loop, predictor file
    prediction/       a predictor on new recordings, on a waveform, or on sound while it comes
    baselines/        features and scores of simpler systems
    curves            exact counts at every threshold; `metrics`, `thresholds`, `calibration` and
                      `bootstrap` build on them
    alarms            scores -> alarms (`alarm_state`: as they come); `event_metrics` and
                      `alarm_tuning` say how good they are
    target_events     the predicted events of a partition: bouts, and the frames they cover
    figures           curves and matrices; `figures_*` the others, `figure_style` what they share
    scored_recording  scores and alarms of one recording; `figures_recording` draws them
    annotations       time spans in tiers, for Praat and Audacity
    report/           one page with all results, and the worst errors to listen to; one page per
                      predicted recording, with its sound
    progress          a live bar on a terminal, log lines elsewhere
    datasets/         Kedro catalog types
    workers/          what torchrun runs, and the launcher
    pipelines/        ingestion, feature_extraction, labeling, training, evaluation; by name only:
                      baselines, causality_check, comparison, diarization, horizon_sweep, prediction
    sample/           makes the embedded sample
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from acoustic_event_prediction.models.predictor import Predictor

__all__ = ["Predictor"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Only when it is asked for: workers import this package first, and PyTorch takes seconds.
    if name == "Predictor":
        from acoustic_event_prediction.models.predictor import Predictor  # noqa: PLC0415

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
