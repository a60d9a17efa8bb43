"""Node of the diarization pipeline."""

import logging
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from acoustic_event_prediction.comparison import differences
from acoustic_event_prediction.corpus.content import seems_unchanged
from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.records import Episode
from acoustic_event_prediction.corpus.rttm_turns import import_turns
from acoustic_event_prediction.corpus.turns import found_table, read_found_turns
from acoustic_event_prediction.corpus_params import DiarizationParams
from acoustic_event_prediction.devices import choose_device
from acoustic_event_prediction.diarization import model_origin, require_pyannote
from acoustic_event_prediction.errors import AudioError, StoreError, WorkerError
from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.diarize_episodes import DiarizationJob
from acoustic_event_prediction.workers.episode_run import Work, require_all, run_by_episode
from acoustic_event_prediction.workers.launch import count_processes
from acoustic_event_prediction.workers.sharding import balance

logger = logging.getLogger(__name__)

_MAX_LOGGED_WARNINGS = 20
_WORKER = "acoustic_event_prediction.workers.diarize_episodes"


def find_turns(
    audio: Mapping[str, Callable[[], Any]],
    episodes: Mapping[str, Callable[[], dict[str, Any]]],
    diarization: DiarizationParams,
    launcher: LauncherParams,
    worker_catalog: Mapping[str, dict[str, Any]],
) -> dict[str, pd.DataFrame] | list[str]:
    """Find who speaks when in the episodes that have no turns of their own.

    Args:
        audio: the recordings that are there; decoded by the workers, not here.
        episodes: records by episode id.
        diarization: by a model, or from RTTM files.
        launcher: processes and nodes, for the model.
        worker_catalog: the run's resolved catalog; workers write through its entry `diarization`.

    Returns:
        Tables `onset`, `offset` (seconds), `speaker` by episode id, or the ids alone where workers
        have written them.

    Raises:
        CorpusError: the RTTM files can't be used, or none is of these episodes.
        AudioError: recordings that were ingested are gone or have changed.
        DiarizationError: the model is not there.
        WorkerError: an episode could not be diarized; all are named, the others are kept.
    """
    records = [Episode.model_validate(load()) for load in episodes.values()]
    lacking = [episode for episode in records if episode.turns_from != "corpus"]
    if not lacking:
        logger.info("all %d episodes have turns of their own", len(records))
        return []
    if diarization.source == "rttm":
        return _import(lacking, diarization, launcher)
    wanted = _without_tracks(lacking)
    job = DiarizationJob(
        catalog={name: worker_catalog[name] for name in ("audio", "diarization")},
        params=diarization,
        shards=[],
    )
    store = job.open_entry("diarization")
    outdated = _find_outdated(wanted, store, diarization)
    _log_outdated(outdated, len(wanted))
    if outdated:
        require_pyannote()
        choose_device(diarization.device)
        waiting = [episode for episode in wanted if episode.episode_id in outdated]
        _require_audio(waiting, audio, job.open_entry("audio").root)
        _run(waiting, job, launcher, store.path.parent)
        _require_written(_find_outdated(wanted, store, diarization), store.path)
    return sorted(episode.episode_id for episode in wanted)


def _import(
    lacking: Sequence[Episode], params: DiarizationParams, launcher: LauncherParams
) -> dict[str, pd.DataFrame]:
    if launcher.nnodes > 1:
        raise WorkerError(
            "diarization.source=rttm needs no workers; run it on one machine, with "
            "launcher.nnodes=1"
        )
    assert params.rttm is not None
    imported = import_turns(Path(params.rttm), lacking)
    for warning in imported.warnings[:_MAX_LOGGED_WARNINGS]:
        logger.warning("%s", warning)
    if (num_more := len(imported.warnings) - _MAX_LOGGED_WARNINGS) > 0:
        logger.warning("and %d warnings more", num_more)
    logger.info(
        "turns of %d of %d episodes read from %s", len(imported.turns), len(lacking), params.rttm
    )
    hashes = {episode.episode_id: episode.audio.sha256 for episode in lacking}
    return {
        name: found_table(turns, {"audio_sha256": hashes[name], "source": "rttm"})
        for name, turns in imported.turns.items()
    }


def _without_tracks(lacking: Sequence[Episode]) -> list[Episode]:
    """Return the episodes without separated tracks: a model can't know whose a track is."""
    wanted = [episode for episode in lacking if not episode.tracks]
    if len(wanted) < len(lacking):
        logger.info(
            "%d episodes without turns have separated tracks, which no model's speakers bear the "
            "names of; they are left as they are",
            len(lacking) - len(wanted),
        )
    return wanted


def _find_outdated(
    wanted: Sequence[Episode], store: Any, params: DiarizationParams
) -> dict[str, str]:
    """Return the ids whose stored turns can't be used, and why."""
    outdated = {}
    for episode in wanted:
        path = store.partition_path(episode.episode_id)
        if not path.is_file():
            outdated[episode.episode_id] = "not there yet"
            continue
        try:
            stored = read_found_turns(path).origin
        except FileProblem as problem:
            logger.warning("%s %s", path, problem.problem)
            outdated[episode.episode_id] = "damaged"
            continue
        if changed := differences(stored, model_origin(episode.audio.sha256, params)):
            outdated[episode.episode_id] = f"changed: {', '.join(changed)}"
    return outdated


def _log_outdated(outdated: Mapping[str, str], num_wanted: int) -> None:
    reasons = Counter(outdated.values()).most_common()
    logger.info(
        "diarization: %d episodes kept, %d to diarize%s",
        num_wanted - len(outdated),
        len(outdated),
        f" ({'; '.join(f'{number} {reason}' for reason, number in reasons)})" if reasons else "",
    )


def _require_audio(episodes: Sequence[Episode], audio: Container[str], root: Path) -> None:
    bad = [
        episode.audio.path
        for episode in episodes
        if episode.episode_id not in audio or not seems_unchanged(episode.audio, root)
    ]
    if bad:
        raise AudioError(
            f"{len(bad)} of {len(episodes)} recordings are gone or have changed since they were "
            f"ingested, the first: {bad[0]}; run `kedro run --pipelines ingestion`, and then this "
            "again"
        )


def _run(
    waiting: Sequence[Episode], job: DiarizationJob, launcher: LauncherParams, shared_folder: Path
) -> None:
    seconds = [episode.duration_seconds for episode in waiting]
    shards = balance(waiting, seconds, count_processes(launcher) * launcher.nnodes)
    work = Work("finding who speaks when", "diarization", "diarized", sum(seconds))
    shared_job = job.model_copy(update={"shards": shards})
    require_all(run_by_episode(work, _WORKER, shared_job, launcher, shared_folder), work)


def _require_written(outdated: Mapping[str, str], folder: Path) -> None:
    if outdated:
        name, reason = next(iter(outdated.items()))
        raise StoreError(
            f"the workers have ended, but the turns of {len(outdated)} episodes in {folder} are "
            f"not what they should have become, the first: {name!r} ({reason}); run again, the "
            "others are kept"
        )
