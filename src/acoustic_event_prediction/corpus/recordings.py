"""The audio of an episode: its headers first, then its content, unless that is known already."""

from collections.abc import Mapping
from pathlib import Path

from acoustic_event_prediction.audio import check_audio, read_header
from acoustic_event_prediction.audio_source import AudioFileError, AudioSource, hold
from acoustic_event_prediction.corpus.content import sha256_of
from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.raw import RawEpisode
from acoustic_event_prediction.corpus.records import AudioFile
from acoustic_event_prediction.frames import FRAME_SECONDS

_LOWEST_RATE_HZ = 8000
# Checked audio by path, relative to the root, and row.
KnownAudio = Mapping[tuple[str, int | None], AudioFile]


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
        AudioFileError: the header, or a row of a parquet file, can't be used.
    """
    path, row = (source, None) if isinstance(source, Path) else (source.path, source.row)
    if not path.is_file():
        raise AudioFileError(
            source,
            "there is no such file, or it is a folder, a pipe or a dangling link",
            "restore it, or leave the episode out",
        )
    status = path.stat()
    place = path.relative_to(root).as_posix()
    before = known.get((place, row))
    if before and before.seems_to_be(status):
        _note_header(before.num_channels, before.sample_rate_hz, source, reading)
        return before
    digest = ""
    if isinstance(source, Path):
        header = read_header(source)
        reading.unchecked[speaker] = source
    else:
        held = hold(source)  # all of a row is read for its header, too
        header, digest = check_audio(held), sha256_of(held)
    _note_header(header.num_channels, header.sample_rate_hz, source, reading)
    return AudioFile(
        path=place,
        row=row,
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
        reading.findings.warn(source, f"{num_channels} channels were mixed down")
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
