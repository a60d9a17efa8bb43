"""Reading one episode: its audio checked, its tables made, everything wrong with it collected."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import pandas as pd

from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus.episode_reading import (
    EVENT_COLUMNS,
    EpisodeReading,
)
from acoustic_event_prediction.corpus.findings import FileProblem, Findings
from acoustic_event_prediction.corpus.formats import WORDS, read_file
from acoustic_event_prediction.corpus.intervals import (
    check_times,
    complete_speakers,
    drop_duplicates,
    make_table,
    speakers_by_mapping,
)
from acoustic_event_prediction.corpus.named_lines import take_own
from acoustic_event_prediction.corpus.raw import (
    RawCorpus,
    RawEpisode,
    match_names,
    name_problem,
)
from acoustic_event_prediction.corpus.recordings import KnownAudio, read_audio, read_tracks
from acoustic_event_prediction.corpus.records import AudioFile, Episode, Source
from acoustic_event_prediction.corpus.tables import Annotation, read_mapping
from acoustic_event_prediction.corpus.transcript import tell_unit, words_in_seconds
from acoustic_event_prediction.corpus.turns import (
    FIND_AGAIN,
    RENAME,
    check_turns,
    read_found_turns,
)
from acoustic_event_prediction.frames import count_frames


def read_episode(
    raw: RawEpisode,
    corpus: RawCorpus,
    shared: Mapping[str, Sequence[Annotation]] | FileProblem,
    known: KnownAudio,
) -> EpisodeReading:
    """Read all files of an episode; whatever is wrong with them ends up in the findings.

    Of audio files only the header is read, unless `known` has them; `check_content` does the rest.

    Args:
        raw: the files.
        corpus: that they belong to.
        shared: rows of the corpus's table of events by episode, or why it can't be used.
        known: audio that was checked before.
    """
    reading = EpisodeReading(raw.episode_id, Findings(corpus.root, raw.episode_id))
    findings = reading.findings
    for path, name in [(raw.audio, raw.name), *((path, name) for name, path in raw.tracks.items())]:
        if (problem := name_problem(name)) is not None:
            findings.problem(path, f"the name {name!r} {problem}", RENAME)
    if findings.problems:
        return reading
    findings.problems += raw.problems
    findings.warnings += raw.warnings
    with findings.collecting(raw.audio):
        audio = read_audio(None, raw.audio, corpus.root, known, reading)
        duration = audio.num_samples / audio.sample_rate_hz
        tracks = read_tracks(raw, corpus.root, duration, known, reading)
        turns_from = _read_turns(raw, corpus, audio, reading)
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
            licence=raw.licence,
            duration_seconds=duration,
            num_frames=count_frames(audio.num_samples, audio.sample_rate_hz),
            audio=audio,
            tracks=tracks,
            sources=tuple(sources),
            turns_from=turns_from,
            transcript_unit_seconds=unit,
        )
    return reading


def _read_turns(
    raw: RawEpisode, corpus: RawCorpus, audio: AudioFile, reading: EpisodeReading
) -> Literal["corpus", "diarization"] | None:
    """Read the corpus's turns, else those of the pipeline `diarization`; return whose they are."""
    findings, duration = reading.findings, audio.num_samples / audio.sample_rate_hz
    if raw.diarization is not None:
        with findings.collecting(raw.diarization):
            turns = read_file(raw.diarization, corpus.turn_readers)
            own = take_own(turns, lambda turn: turn.recording, raw.name, findings, raw.diarization)
            reading.turns = check_turns(own, duration, findings, raw.diarization)
        return "corpus"
    if raw.found_turns is not None:
        with findings.collecting(raw.found_turns):
            found = read_found_turns(raw.found_turns)
            if found.origin["audio_sha256"] == (audio.sha256 or sha256_of(raw.audio)):
                reading.turns = check_turns(found.turns, duration, findings, raw.found_turns)
                return "diarization"
            findings.warn(
                raw.found_turns,
                "was made from other audio than the episode has now, and is not used",
                FIND_AGAIN,
            )
    return None


def _check_speakers(raw: RawEpisode, reading: EpisodeReading) -> None:
    """Note tracks of nobody who speaks."""
    speakers = set(reading.turns["speaker"])
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
        words, unit, speakers = read_file(raw.transcript, WORDS)
        if unit is None:
            unit = tell_unit(words, duration, reading.turns)
        if unit is not None:
            table = words_in_seconds(words, unit)
            named = speakers or [None] * len(words)
            table = table.assign(speaker=pd.array(named, dtype="str"))
            table = check_times(table, duration, findings, raw.transcript, is_exact=False)
            table = drop_duplicates(table, findings, raw.transcript)
            _note_strangers(raw, raw.transcript, table, reading)
            reading.words = complete_speakers(table, reading.turns, or_nearest=True)
    return unit


def _note_strangers(
    raw: RawEpisode, path: Path, words: pd.DataFrame, reading: EpisodeReading
) -> None:
    """Warn of words whose speaker neither turns nor tracks know: no stream gets them."""
    known = set(reading.turns["speaker"]) | set(raw.tracks)
    unknown = sorted(set(words["speaker"].dropna()) - known)
    if known and unknown:
        num_words = int(words["speaker"].isin(unknown).sum())
        reading.findings.warn(
            path,
            f"{num_words} words are spoken by {', '.join(unknown)}, the episode has "
            f"{', '.join(sorted(known))}",
            "correct the names, or leave them out (speakers then come from the turns)",
        )


def _read_events(
    raw: RawEpisode,
    corpus: RawCorpus,
    shared: Mapping[str, Sequence[Annotation]] | FileProblem,
    duration: float,
    reading: EpisodeReading,
) -> None:
    path = raw.annotation or corpus.annotations
    if path is None:
        if corpus.needs_annotations and not raw.problems:
            reading.findings.problem(raw.audio, "has no file of events", corpus.get_annotations)
        return
    with reading.findings.collecting(path):
        if raw.annotation:
            rows: Sequence[Annotation] = _own_rows(path, raw, corpus, reading)
        else:
            rows = _shared_rows(raw, corpus, shared)
            if not rows:
                reading.findings.warn(path, "has no row for this episode: taken as without events")
        names = {row.episode: row.line for row in reversed(rows)}  # the first line of each
        for written, line in sorted(names.items(), key=lambda item: item[1]):
            if written is None:
                continue
            if (problem := _episode_problem(written, raw.name)) is not None:
                reading.findings.problem(path, f"line {line}: {problem}")
                return
        events = make_table(
            ((row.onset, row.offset, row.label, row.label_full, row.speaker) for row in rows),
            EVENT_COLUMNS,
        )
        lines = [row.line for row in rows]
        if unnamed := sum(not row.label for row in rows):
            reading.findings.warn(path, f"{unnamed} events have no label")
        events = check_times(events, duration, reading.findings, path, is_exact=True, lines=lines)
        events = drop_duplicates(events, reading.findings, path)
        reading.events = complete_speakers(events, reading.turns, or_nearest=False)
        _map_speakers(raw, reading)


def _own_rows(
    path: Path, raw: RawEpisode, corpus: RawCorpus, reading: EpisodeReading
) -> list[Annotation]:
    """Return the events of a file of its own; of an RTTM file those lines that are about it."""
    rows = read_file(path, corpus.event_readers)
    if path.suffix.lower() != ".rttm":
        return rows
    own = take_own(rows, lambda row: row.episode, raw.name, reading.findings, path)
    return [row._replace(episode=None) for row in own]


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
    raw: RawEpisode,
    corpus: RawCorpus,
    shared: Mapping[str, Sequence[Annotation]] | FileProblem,
) -> Sequence[Annotation]:
    if isinstance(shared, FileProblem):
        raise shared
    rows = shared.get(raw.name, [])
    if not rows and corpus.needs_rows and not raw.problems:
        raise FileProblem(
            "has no row for this episode, which has no annotation file of its own either",
            corpus.get_annotations,
        )
    return rows


def _episode_problem(written: str, name: str) -> str | None:
    """Return why the name that a row gives is not this episode's, or None if it is."""
    unusable = name_problem(written)
    if unusable is None and match_names([written], {name}):
        return None
    return f"the name {written!r} " + (unusable or "is another episode's")
