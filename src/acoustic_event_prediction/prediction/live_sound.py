"""Sound that comes piece by piece -> frames of the streams that the models hear."""

from collections.abc import Mapping

import numpy as np
import torch

from acoustic_event_prediction.audio import Resampler, Samples, mix_down
from acoustic_event_prediction.audio_source import AudioFileError, HeldWaveform
from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.frames import MODEL_SAMPLE_RATE_HZ, SAMPLES_PER_FRAME
from acoustic_event_prediction.prediction.streams import channel_names

_LOWEST_RATE_HZ = 8_000


class LiveSound:
    """Cuts pieces of channels into frames of the streams, S of them, at the models' rate.

    A stream is the sum of its speakers' channels, as in `speech_lm.sources`.

    Args:
        pairs: the system of each of U users.
        num_channels: C.
        sample_rate_hz: of what is pushed.
        is_mixed: whether all channels are one stream, the user's.

    Attributes:
        system_streams: [U] index of each user's system stream.
        user_streams: [U] index of each user's own.
        num_streams: S; the last one is silence if a system has no speakers.
        num_samples: pushed so far, per channel.
    """

    def __init__(
        self,
        pairs: Mapping[str, tuple[str, ...]],
        num_channels: int,
        sample_rate_hz: int,
        is_mixed: bool,
    ) -> None:
        names = channel_names(num_channels)
        voices = [speakers for user, system in pairs.items() for speakers in ((user,), system)]
        self._streams = list(dict.fromkeys(voices))
        self.user_streams = [self._streams.index((user,)) for user in pairs]
        self.system_streams = [self._streams.index(system) for system in pairs.values()]
        self.num_streams = len(self._streams)
        self.num_samples = 0
        self._is_mixed = is_mixed
        # Which channels a stream is the sum of; with a mix there is one signal, the user's.
        self._sources = [
            [0] * bool(speakers) if is_mixed else [names.index(name) for name in speakers]
            for speakers in self._streams
        ]
        self._resamplers = [
            Resampler(sample_rate_hz, MODEL_SAMPLE_RATE_HZ)
            for _ in range(1 if is_mixed else num_channels)
        ]
        self._rest: Samples = np.zeros((self.num_streams, 0), np.float32)

    def push(self, samples: Samples) -> list[torch.Tensor]:
        """Take samples, float32 [n, C], and return the frames that are full, float32 [S, 1920]."""
        self.num_samples += len(samples)
        signals = [mix_down(samples)] if self._is_mixed else list(samples.T)
        ready = [
            resampler.push(np.ascontiguousarray(signal))
            for resampler, signal in zip(self._resamplers, signals, strict=True)
        ]
        streams = np.zeros((self.num_streams, len(ready[0])), np.float32)
        for stream, sources in enumerate(self._sources):
            for source in sources:
                streams[stream] += ready[source]
        held: Samples = np.concatenate([self._rest, streams], axis=1)
        num_full = held.shape[1] // SAMPLES_PER_FRAME * SAMPLES_PER_FRAME
        self._rest = held[:, num_full:]
        return [
            torch.from_numpy(np.ascontiguousarray(held[:, start : start + SAMPLES_PER_FRAME]))
            for start in range(0, num_full, SAMPLES_PER_FRAME)
        ]


def check_format(num_channels: int, sample_rate_hz: int) -> int:
    """Return the rate as a whole number.

    Raises:
        CorpusError: no such number of channels.
        AudioError: no such rate, or one that is too low to be heard live.
    """
    is_number = isinstance(num_channels, int | np.integer) and not isinstance(num_channels, bool)
    if not is_number or num_channels < 1:
        raise CorpusError(f"num_channels must be a whole number of at least 1, got {num_channels}")
    one = HeldWaveform(np.zeros((num_channels, 1), np.float32), sample_rate_hz)
    if one.sample_rate_hz < _LOWEST_RATE_HZ:
        raise AudioFileError(
            one,
            f"{one.sample_rate_hz} samples a second are too few to be heard live: the resampler "
            "would hold them back",
            f"give sound of at least {_LOWEST_RATE_HZ} Hz",
        )
    return one.sample_rate_hz
