"""What the later stages know about an episode and about a choice of user and system."""

from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

Source = Literal["separated", "diarization", "mono"]
MONO_USER = "mix"


def _inside_the_corpus(path: str) -> str:
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        raise ValueError(f"{path!r} leaves the corpus; run `kedro run --pipelines ingestion`")
    return path


class Record(BaseModel):
    """A frozen record that goes to JSON and back."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioFile(Record):
    """One audio file of the corpus.

    Attributes:
        path: relative to the corpus root, with forward slashes.
        num_samples: per channel, at `sample_rate_hz`.
        sample_rate_hz: of the file.
        num_channels: of the file; readers mix down.
        num_bytes: of the file.
        modified_ns: time of its last change; with `num_bytes`, a quick sign that it is unchanged.
        sha256: of the file's bytes, in hex.
    """

    path: Annotated[str, AfterValidator(_inside_the_corpus)]
    num_samples: int
    sample_rate_hz: int
    num_channels: int
    num_bytes: int
    modified_ns: int
    sha256: str


class Episode(Record):
    """One episode that was read and found sound.

    Attributes:
        episode_id: `<split>/<name>`.
        split: train, validation or test.
        name: file name without extension, in Unicode NFC.
        show: that the episode belongs to; None if its name says none.
        duration_seconds: of the mix.
        num_frames: T, the number of 80 ms frames that the mix begins.
        audio: the mix.
        tracks: separated recordings by speaker; empty if there are none.
        sources: ways to make streams that the episode supports, the best first.
        transcript_unit_seconds: what one tick of the transcript lasts; None without words.
    """

    episode_id: str
    split: str
    name: str
    show: str | None = None
    duration_seconds: float
    num_frames: int
    audio: AudioFile
    tracks: dict[str, AudioFile]
    sources: tuple[Source, ...]
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
