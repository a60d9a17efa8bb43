"""What the later stages know about an episode and about a choice of user and system."""

import os
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, NonNegativeInt

from acoustic_event_prediction.audio_source import AudioChannel, AudioSource, EmbeddedAudio

Source = Literal["separated", "diarization", "mono"]
MONO_USER = "mix"
# Path of a file below the corpus root, row, and channel.
AudioKey = tuple[str, int | None, int | None]


def _inside_the_corpus(path: str) -> str:
    pure = PurePosixPath(path)
    is_inside = pure.parts and not pure.is_absolute() and ".." not in pure.parts
    if not is_inside or "\\" in path or "\0" in path:
        raise ValueError(
            f"{path!r} is no path inside the corpus; run `kedro run --pipelines ingestion`"
        )
    return path


class Record(BaseModel):
    """A frozen record that goes to JSON and back."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioFile(Record):
    """One audio file of the corpus, or one channel of it.

    Attributes:
        path: relative to the corpus root, with forward slashes.
        row: of a parquet file that holds the audio; None for a file of its own.
        channel: that is read, from 0; None: all, mixed down.
        num_samples: per channel, at `sample_rate_hz`.
        sample_rate_hz: of the file.
        num_channels: that are mixed down; 1 for a single channel.
        num_bytes: of the file at `path`.
        modified_ns: time of its last change.
        changed_ns: time of the last change of the file's entry, which nobody can set back; with the
            two before, a quick sign that it is unchanged. 0 where it is not known.
        sha256: of the encoded audio and the channel, in hex, as `content.sha256_of` gives it.
    """

    path: Annotated[str, AfterValidator(_inside_the_corpus)]
    row: int | None = None
    channel: NonNegativeInt | None = None
    num_samples: int
    sample_rate_hz: int
    num_channels: int
    num_bytes: int
    modified_ns: int
    changed_ns: int = 0
    sha256: str

    @property
    def key(self) -> AudioKey:
        """What tells this audio from other audio of the corpus."""
        return self.path, self.row, self.channel

    def seems_to_be(self, status: os.stat_result) -> bool:
        """Return whether a file has the size and the times that were recorded."""
        recorded = (self.num_bytes, self.modified_ns, self.changed_ns)
        return recorded == (status.st_size, status.st_mtime_ns, status.st_ctime_ns)

    def locate(self, root: Path) -> AudioSource:
        """Return where the audio lies.

        Args:
            root: folder of the corpus.
        """
        path = root / self.path
        file = path if self.row is None else EmbeddedAudio(path, self.row)
        return file if self.channel is None else AudioChannel(file, self.channel)


class Episode(Record):
    """One episode that was read and found sound.

    Attributes:
        episode_id: `<split>/<name>`.
        split: train, validation or test.
        name: file name without extension, in Unicode NFC.
        show: that the episode belongs to; None if its name says none.
        licence: of the audio; None if the corpus doesn't say.
        duration_seconds: of the mix.
        num_frames: T, the number of 80 ms frames that the mix begins.
        audio: the mix.
        tracks: separated recordings by speaker; empty if there are none.
        sources: ways to make streams that the episode supports, the best first.
        turns_from: the corpus's own file, be it empty, or the pipeline `diarization`; None without.
        transcript_unit_seconds: what one tick of the transcript lasts; None without words.
    """

    episode_id: str
    split: str
    name: str
    show: str | None = None
    licence: str | None = None
    duration_seconds: float
    num_frames: int
    audio: AudioFile
    tracks: dict[str, AudioFile]
    sources: tuple[Source, ...]
    turns_from: Literal["corpus", "diarization"] | None = None
    transcript_unit_seconds: float | None


class Assignment(Record):
    """Who is the user of an episode, and who together are the system.

    Attributes:
        assignment_id: `<split>/<episode>/<user>`.
        episode_id: `<split>/<episode>`.
        user: a speaker, or `mix` in mono.
        systems: all other speakers, sorted by name; empty in mono.
        source: how the streams are made.
        user_share: the user's part of the speaking time of all; None where nobody knows it.
        num_frames: T of the episode.
    """

    assignment_id: str
    episode_id: str
    user: str
    systems: tuple[str, ...]
    source: Source
    user_share: float | None
    num_frames: int
