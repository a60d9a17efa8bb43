from itertools import chain
from pathlib import Path

import pandas as pd
import pytest

from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus.records import Assignment, Episode
from acoustic_event_prediction.errors import AudioError, CorpusError
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.speech_lm.provenance import feature_provenance
from acoustic_event_prediction.workers.episode_tasks import (
    Describe,
    EpisodeTask,
    batches,
    require_unchanged,
)
from acoustic_event_prediction.workers.extract_features import ExtractionJob
from tests.made import audio_file, extraction_params, stream_params


def task(name: str, num_frames: int, num_assignments: int = 2) -> EpisodeTask:
    episode = Episode(
        episode_id=f"train/{name}",
        split="train",
        name=name,
        duration_seconds=num_frames * 0.08,
        num_frames=num_frames,
        audio=audio_file(path="x.wav"),
        tracks={},
        sources=("diarization",),
        transcript_unit_seconds=None,
    )
    assignments = [
        Assignment(
            assignment_id=f"train/{name}/{user}",
            episode_id=f"train/{name}",
            user=str(user),
            systems=("s",),
            source="diarization",
            user_share=None,
            num_frames=num_frames,
        )
        for user in range(num_assignments)
    ]
    provenances = [{"user": user} for user in range(num_assignments)]
    return EpisodeTask(episode=episode, assignments=assignments, provenances=provenances)


def plan(tasks: list[EpisodeTask], most: int) -> list[list[tuple[str, int]]]:
    """Name and number of assignments of each task of each batch."""
    return [
        [(task.episode.name, len(task.assignments)) for task in batch]
        for batch in batches(tasks, lambda _: most)
    ]


def test_episodes_of_similar_length_run_side_by_side_the_longest_first() -> None:
    tasks = [task("b", 20), task("d", 5), task("a", 30), task("c", 10)]
    assert plan(tasks, 4) == [[("a", 2), ("b", 2)], [("c", 2), ("d", 2)]]


def test_no_batch_is_left_with_a_few_assignments() -> None:
    # Ten assignments, at most eight a batch: five or so in each, not eight and two.
    sizes = [
        sum(size for _, size in batch) for batch in plan([task(str(n), n) for n in range(1, 6)], 8)
    ]
    assert sizes == [4, 6]


def test_an_episode_with_more_speakers_than_a_batch_takes_is_divided() -> None:
    tasks = [task("many", 10, num_assignments=5), task("few", 5)]
    assert plan(tasks, 2) == [[("many", 2)], [("many", 2)], [("many", 1)], [("few", 2)]]
    divided = list(chain.from_iterable(batches(tasks, lambda _: 2)))
    users = [p["user"] for part in divided if part.episode.name == "many" for p in part.provenances]
    assert users == [0, 1, 2, 3, 4]


def test_the_batch_size_follows_the_longest_episode_that_is_left() -> None:
    tasks = [task("long", 100), *(task(str(n), 10) for n in range(4))]
    asked: list[int] = []

    def most(num_frames: int) -> int:
        asked.append(num_frames)
        return 2 if num_frames > 50 else 8

    found = [[task.episode.name for task in batch] for batch in batches(tasks, most)]
    assert found == [["long"], ["0", "1", "2", "3"]]
    assert asked == [100, 10]


TABLES = {
    "turns": pd.DataFrame({"speaker": ["0", "s"], "onset": [0.0, 0.4], "offset": [0.4, 0.8]}),
    "words": pd.DataFrame({"text": ["so"], "speaker": ["s"], "onset": [0.4], "offset": [0.6]}),
    "events": pd.DataFrame({"label": ["Laughter"], "onset": [0.1], "offset": [0.2]}),
}


@pytest.fixture
def ready(tmp_path: Path, short_context_checkpoint: Checkpoint) -> tuple[EpisodeTask, Describe]:
    """A task whose audio file and tables are those of its provenance."""
    path = tmp_path / "x.wav"
    path.write_bytes(b"sound")
    job = ExtractionJob(
        catalog={},
        checkpoint=short_context_checkpoint,
        settings=extraction_params(),
        streams=stream_params(),
        shards=[],
    )
    made = task("x", 10, num_assignments=1)
    file = made.episode.audio.model_copy(update={"sha256": sha256_of(path)})
    episode = made.episode.model_copy(update={"audio": file})
    provenance = feature_provenance(
        *(made.assignments[0], episode, TABLES),
        checkpoint=job.checkpoint.identity,
        settings=job.settings,
        streams=job.streams,
    )
    task_of_it = made.model_copy(update={"episode": episode, "provenances": [provenance]})
    return task_of_it, job.describe


def test_what_is_read_must_be_what_the_provenance_says(
    ready: tuple[EpisodeTask, Describe], tmp_path: Path
) -> None:
    made, describe = ready
    require_unchanged(made, TABLES, tmp_path, describe)
    other_words = TABLES["words"].assign(text=["no"])
    with pytest.raises(CorpusError, match=r"episode\.words has changed while the run was going on"):
        require_unchanged(made, TABLES | {"words": other_words}, tmp_path, describe)
    (tmp_path / "x.wav").write_bytes(b"SOUND")
    with pytest.raises(AudioError, match=r"x\.wav has changed since it was read"):
        require_unchanged(made, TABLES, tmp_path, describe)
    (tmp_path / "x.wav").unlink()
    with pytest.raises(AudioError, match=r"x\.wav can't be read"):
        require_unchanged(made, TABLES, tmp_path, describe)
