"""The distinct audio streams of an episode, in blocks: from a mix and its turns, or from tracks."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np

from acoustic_event_prediction.audio import MonoReader, Samples
from acoustic_event_prediction.audio_source import AudioSource
from acoustic_event_prediction.corpus.records import MONO_USER
from acoustic_event_prediction.frames import MODEL_SAMPLE_RATE_HZ, count_frames
from acoustic_event_prediction.speech_lm.streams import Span, SpanMask, StreamKey


@dataclass(frozen=True)
class EpisodeAudio:
    """Where an episode's sound is and who makes it.

    Attributes:
        mix: the mixed recording; None if separated tracks are used.
        tracks: separated recordings by speaker.
        turns: time spans in seconds by speaker; masks the mix.
        laughs: time spans in seconds of all laughs.
    """

    mix: AudioSource | None
    tracks: Mapping[str, AudioSource]
    turns: Mapping[str, Sequence[Span]]
    laughs: Sequence[Span]


class StreamReader:
    """Reads the wished streams of an episode side by side; a context manager that closes the files.

    With a mix, a stream keeps the turns of its speakers and is zero elsewhere (in mono, where
    nobody knows the turns, the user's stream is the whole mix). With tracks, it is the sum of its
    speakers' tracks. Laughs are zeroed in streams whose key says so. A stream without speakers is
    silence.

    Args:
        audio: the episode.
        keys: the streams, in the order of the rows that `read` returns.

    Raises:
        AudioError: a file can't be read; `read` may raise it as well.
    """

    def __init__(self, audio: EpisodeAudio, keys: Sequence[StreamKey]) -> None:
        self._audio = audio
        self._keys = keys
        self._position = 0
        self._laughs = SpanMask(audio.laughs)
        self._turns = {
            key: SpanMask([span for name in key.speakers for span in audio.turns.get(name, ())])
            for key in keys
        }
        needed = {name for key in keys for name in key.speakers}
        paths = (
            {name: path for name, path in audio.tracks.items() if name in needed}
            if audio.mix is None
            else {MONO_USER: audio.mix}
        )
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as stack:
            self._readers = {
                name: stack.enter_context(MonoReader(path, MODEL_SAMPLE_RATE_HZ))
                for name, path in paths.items()
            }
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def count_frames(self) -> list[int]:
        """Return [S]: frames that each stream has; a track may be shorter than its episode."""
        return [
            max(
                (self._num_frames(name) for name in self._sources(key)),
                default=max(map(self._num_frames, self._readers), default=0),
            )
            for key in self._keys
        ]

    def read(self, num_samples: int) -> Samples:
        """Return the next block, float32 [S, num_samples], zero after the end of a file."""
        heard = {
            name: _padded(reader.read(num_samples), num_samples)
            for name, reader in self._readers.items()
        }
        laughing = self._laughs.block(self._position, num_samples)
        block = np.zeros((len(self._keys), num_samples), dtype=np.float32)
        for index, key in enumerate(self._keys):
            for name in self._sources(key):
                block[index] += heard[name]
            if self._audio.mix is not None and key.speakers != (MONO_USER,):
                block[index, ~self._turns[key].block(self._position, num_samples)] = 0
            if key.masks_laughter:
                block[index, laughing] = 0
        self._position += num_samples
        return block

    def _sources(self, key: StreamKey) -> list[str]:
        if self._audio.mix is not None:
            return [MONO_USER] if key.speakers else []
        return [name for name in key.speakers if name in self._readers]

    def _num_frames(self, name: str) -> int:
        header = self._readers[name].header
        return count_frames(header.num_samples, header.sample_rate_hz)


def _padded(samples: Samples, num_samples: int) -> Samples:
    return np.pad(samples, (0, num_samples - len(samples)))
