"""Reading one episode: its audio checked, its tables made, everything wrong with it collected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from acoustic_event_prediction.audio import check_audio
from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus.findings import FileProblem, Findings
from acoustic_event_prediction.corpus.intervals import (
    check_times,
    drop_duplicates,
    make_table,
    speakers_by_mapping,
    speakers_by_overlap,
)
from acoustic_event_prediction.corpus.podcastfillers import (
    ALL_ANNOTATIONS,
    RawCorpus,
    RawEpisode,
    loose_key,
    name_problem,
    normalise,
    strip_audio_suffix,
)
from acoustic_event_prediction.corpus.records import AudioFile, Episode, Source
from acoustic_event_prediction.corpus.tables import (
    Annotation,
    read_annotations,
    read_mapping,
    read_turns,
    read_words,
)
from acoustic_event_prediction.corpus.transcript import tell_unit, words_in_seconds
from acoustic_event_prediction.frames import FRAME_SECONDS, count_frames

_RENAME = "rename it, or leave the episode out (ingestion.exclude_episodes)"
_EVENT_COLUMNS = ("onset", "offset", "label", "label_full", "speaker")
_TURN_COLUMNS = ("onset", "offset", "speaker")
_WORD_COLUMNS = ("onset", "offset", "text", "speaker")


@dataclass
class EpisodeReading:
    """What came out of an episode's files.

    Attributes:
        episode_id: `<split>/<name>`.
        findings: problems and warnings.
        episode: None if the audio can't be used.
        events: onset, offset (seconds), label, label_full, speaker; sorted by onset.
        turns: onset, offset, speaker; sorted by onset.
        words: onset, offset, text, speaker; sorted by onset.
    """

    episode_id: str
    findings: Findings
    episode: Episode | None = None
    events: pd.DataFrame = field(default_factory=lambda: make_table([], _EVENT_COLUMNS))
    turns: pd.DataFrame = field(default_factory=lambda: make_table([], _TURN_COLUMNS))
    words: pd.DataFrame = field(default_factory=lambda: make_table([], _WORD_COLUMNS))


def read_episode(
    raw: RawEpisode, corpus: RawCorpus, shared: Mapping[str, Sequence[Annotation]] | FileProblem
) -> EpisodeReading:
    """Read all files of an episode; whatever is wrong with them ends up in the findings.

    Args:
        raw: the files.
        corpus: that they belong to.
        shared: rows of `PodcastFillers.csv` by episode, or why it can't be used.
    """
    reading = EpisodeReading(raw.episode_id, Findings(corpus.root, raw.episode_id))
    findings = reading.findings
    for path, name in [(raw.audio, raw.name), *((path, name) for name, path in raw.tracks.items())]:
        if (problem := name_problem(name)) is not None:
            findings.problem(path, f"the name {name!r} {problem}", _RENAME)
    if findings.problems:
        return reading
    with findings.collecting(raw.audio):
        audio = _read_audio(raw.audio, corpus.root, findings)
        duration = audio.num_samples / audio.sample_rate_hz
        tracks = _read_tracks(raw, corpus.root, duration, findings)
        _read_turns(raw, duration, reading)
        _check_speakers(raw, reading)
        unit = _read_words(raw, duration, reading)
        _read_events(raw, corpus, shared, duration, reading)
        sources: list[Source] = ["separated"] if tracks else []
        sources += ["mono"] if reading.turns.empty else ["diarization", "mono"]
        reading.episode = Episode(
            episode_id=raw.episode_id,
            split=raw.split,
            name=raw.name,
            show=raw.show,
            duration_seconds=duration,
            num_frames=count_frames(audio.num_samples, audio.sample_rate_hz),
            audio=audio,
            tracks=tracks,
            sources=tuple(sources),
            transcript_unit_seconds=unit,
        )
    return reading


def _read_audio(path: Path, root: Path, findings: Findings) -> AudioFile:
    header = check_audio(path)
    if header.num_channels > 1:
        findings.warn(path, f"{header.num_channels} channels were mixed down")
    status = path.stat()
    return AudioFile(
        path=path.relative_to(root).as_posix(),
        num_samples=header.num_samples,
        sample_rate_hz=header.sample_rate_hz,
        num_channels=header.num_channels,
        num_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        sha256=sha256_of(path),
    )


def _read_tracks(
    raw: RawEpisode, root: Path, duration: float, findings: Findings
) -> dict[str, AudioFile]:
    tracks = {}
    for speaker, path in raw.tracks.items():
        with findings.collecting(path):
            tracks[speaker] = track = _read_audio(path, root, findings)
            seconds = track.num_samples / track.sample_rate_hz
            if abs(seconds - duration) > FRAME_SECONDS:
                findings.warn(path, f"the track lasts {seconds:.3f} s, the mix {duration:.3f} s")
    return tracks


def _read_turns(raw: RawEpisode, duration: float, reading: EpisodeReading) -> None:
    if raw.diarization is None:
        return
    with reading.findings.collecting(raw.diarization):
        turns = make_table(read_turns(raw.diarization), _TURN_COLUMNS)
        turns = check_times(turns, duration, reading.findings, raw.diarization, is_exact=False)
        turns = turns[turns["offset"] > turns["onset"]].reset_index(drop=True)
        reading.turns = drop_duplicates(turns, reading.findings, raw.diarization)


def _check_speakers(raw: RawEpisode, reading: EpisodeReading) -> None:
    """Note speakers that can't be part of a path, and tracks of nobody who speaks."""
    speakers = set(reading.turns["speaker"])
    for speaker in sorted(speakers):
        if raw.diarization is not None and (problem := name_problem(speaker)) is not None:
            reading.findings.problem(raw.diarization, f"the speaker {speaker!r} {problem}", _RENAME)
    if speakers and raw.tracks and not speakers & set(raw.tracks):
        reading.findings.problem(
            next(iter(raw.tracks.values())).parent,
            f"has tracks of {', '.join(raw.tracks)}, the diarization turns of "
            f"{', '.join(sorted(speakers))}",
            "name the track files after the speakers",
        )


def _read_words(raw: RawEpisode, duration: float, reading: EpisodeReading) -> float | None:
    """Read the transcript and return what its tick lasts; None without words."""
    if raw.transcript is None:
        return None
    findings = reading.findings
    unit = None
    with findings.collecting(raw.transcript):
        words = read_words(raw.transcript)
        unit = tell_unit(words, duration, reading.turns)
        if unit is not None:
            table = words_in_seconds(words, unit)
            table = check_times(table, duration, findings, raw.transcript, is_exact=False)
            table = drop_duplicates(table, findings, raw.transcript)
            reading.words = speakers_by_overlap(table, reading.turns, or_nearest=True)
    return unit


def _read_events(
    raw: RawEpisode,
    corpus: RawCorpus,
    shared: Mapping[str, Sequence[Annotation]] | FileProblem,
    duration: float,
    reading: EpisodeReading,
) -> None:
    path = raw.annotation or corpus.root / ALL_ANNOTATIONS
    with reading.findings.collecting(path):
        rows = read_annotations(path) if raw.annotation else _shared_rows(raw, shared)
        for row in rows:
            if (problem := _episode_problem(row.episode, raw.name)) is not None:
                reading.findings.problem(path, f"line {row.line}: {problem}")
                return
        events = make_table(
            ((row.onset, row.offset, row.label, row.label_full) for row in rows),
            _EVENT_COLUMNS[:-1],
        )
        events = check_times(events, duration, reading.findings, path, is_exact=True)
        events = drop_duplicates(events, reading.findings, path)
        reading.events = speakers_by_overlap(events, reading.turns, or_nearest=False)
        _map_speakers(raw, reading)


def _map_speakers(raw: RawEpisode, reading: EpisodeReading) -> None:
    if raw.mapping is None:
        return
    with reading.findings.collecting(raw.mapping):
        mapping = read_mapping(raw.mapping)
        known = set(reading.turns["speaker"]) | set(raw.tracks)
        unknown = {entry.speaker for entry in mapping if entry.speaker is not None} - known
        if known and unknown:
            reading.findings.problem(
                raw.mapping,
                f"names {', '.join(sorted(unknown))}, the episode has {', '.join(sorted(known))}",
                "correct the names, or remove the file (speakers then come from the turns)",
            )
        reading.events, num_unmatched = speakers_by_mapping(reading.events, mapping)
        if num_unmatched:
            reading.findings.warn(
                raw.mapping, f"{num_unmatched} of {len(mapping)} entries match no annotated event"
            )


def _shared_rows(
    raw: RawEpisode, shared: Mapping[str, Sequence[Annotation]] | FileProblem
) -> Sequence[Annotation]:
    if isinstance(shared, FileProblem):
        raise shared
    rows = shared.get(raw.name) or shared.get(loose_key(raw.name))
    if not rows:
        raise FileProblem(
            "has no row for this episode, which has no annotation file of its own either",
            f"add metadata/episode_annotations/{raw.split}/{raw.name}.csv, or leave the episode "
            "out (ingestion.exclude_episodes)",
        )
    return rows


def _episode_problem(written: str, name: str) -> str | None:
    """Return why a row's `podcast_filename` is not this episode, or None if it is."""
    unusable = name_problem(written)
    plain = strip_audio_suffix(normalise(written))
    if unusable is None and (plain == name or loose_key(plain) == loose_key(name) != ""):
        return None
    return f"podcast_filename {written!r} " + (unusable or "is another episode")
