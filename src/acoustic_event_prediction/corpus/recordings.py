"""The audio of an episode: its headers first, then its content, unless that is known already."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from acoustic_event_prediction.audio import check_audio, read_header
from acoustic_event_prediction.audio_source import AudioFileError, AudioSource, hold, place_of
from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.raw import RawEpisode
from acoustic_event_prediction.corpus.records import AudioFile, AudioKey, Episode
from acoustic_event_prediction.errors import StoreError
from acoustic_event_prediction.frames import FRAME_SECONDS

_LOWEST_RATE_HZ = 8000
MIXED_DOWN = "channels were mixed down"
# Checked audio.
KnownAudio = Mapping[AudioKey, AudioFile]


def checked_audio(episodes: Mapping[str, Callable[[], dict[str, Any]]]) -> KnownAudio:
    """Return the audio of earlier records, by id; what can't be read of them is checked anew."""
    found: dict[AudioKey, AudioFile] = {}
    for load in episodes.values():
        try:
            record = Episode.model_validate(load())
        except (StoreError, ValidationError):
            continue
        files = (record.audio, *record.tracks.values())
        found |= {file.key: file for file in files}
    return found


def check_content(reading: EpisodeReading) -> None:
    """Decode and hash the unchecked audio of an episode; what is wrong ends up in the findings.

    Args:
        reading: of `read_episode`; its record gets the hashes.
    """
    if reading.episode is None:
        return
    audio, tracks = reading.episode.audio, dict(reading.episode.tracks)
    for speaker, source in reading.unchecked.items():
        with reading.findings.collecting(source):
            check_audio(source)
            update = {"sha256": sha256_of(source)}
            if speaker is None:
                audio = audio.model_copy(update=update)
            else:
                tracks[speaker] = tracks[speaker].model_copy(update=update)
    reading.unchecked.clear()
    reading.episode = reading.episode.model_copy(update={"audio": audio, "tracks": tracks})


def read_audio(
    speaker: str | None, source: AudioSource, root: Path, known: KnownAudio, reading: EpisodeReading
) -> AudioFile:
    """Return the record of a file; its hash is empty as long as only the header was read.

    Args:
        speaker: of a track; None for the mix.
        source: the audio.
        root: of the corpus.
        known: audio that was checked before.
        reading: takes the findings, and what `check_content` has to do.

    Raises:
        AudioFileError: the header, or a row of a parquet file, can't be used, or the audio is no
            file.
    """
    found = place_of(source)
    if found is None:
        raise AudioFileError(source, "is no file of the corpus", "write it to a file there")
    path = found.path
    if not path.is_file():
        raise AudioFileError(
            source,
            "there is no such file, or it is a folder, a pipe or a dangling link",
            "restore it, or leave the episode out",
        )
    status = path.stat()
    place = path.relative_to(root).as_posix()
    before = known.get((place, found.row, found.channel))
    if before and before.seems_to_be(status):
        _note_header(before.num_channels, before.sample_rate_hz, source, reading)
        return before
    digest = ""
    if found.row is None:
        header = read_header(source)
        reading.unchecked[speaker] = source
    else:
        held = hold(source)  # all of a row is read for its header, too
        header, digest = check_audio(held), sha256_of(held)
    _note_header(header.num_channels, header.sample_rate_hz, source, reading)
    return AudioFile(
        path=place,
        row=found.row,
        channel=found.channel,
        num_samples=header.num_samples,
        sample_rate_hz=header.sample_rate_hz,
        num_channels=header.num_channels,
        num_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_ns=status.st_ctime_ns,
        sha256=digest,
    )


def _note_header(
    num_channels: int, sample_rate_hz: int, source: AudioSource, reading: EpisodeReading
) -> None:
    if num_channels > 1:
        reading.findings.warn(source, f"{num_channels} {MIXED_DOWN}")
    if sample_rate_hz < _LOWEST_RATE_HZ:
        reading.findings.warn(
            source, f"{sample_rate_hz} samples a second are too few for speech", "check its header"
        )


def read_tracks(
    raw: RawEpisode, root: Path, duration: float, known: KnownAudio, reading: EpisodeReading
) -> dict[str, AudioFile]:
    """Return the records of an episode's tracks by speaker; see `read_audio`.

    Args:
        raw: the files.
        root: of the corpus.
        duration: of the mix, in seconds.
        known: audio that was checked before.
        reading: takes the findings.
    """
    tracks = {}
    for speaker, path in raw.tracks.items():
        with reading.findings.collecting(path):
            tracks[speaker] = track = read_audio(speaker, path, root, known, reading)
            seconds = track.num_samples / track.sample_rate_hz
            if abs(seconds - duration) > FRAME_SECONDS:
                reading.findings.warn(
                    path, f"the track lasts {seconds:.3f} s, the mix {duration:.3f} s"
                )
    return tracks
