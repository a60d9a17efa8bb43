"""Synthetic speakers: espeak-ng through ctypes, with the time of every word."""

import ctypes
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import soxr

SAMPLE_RATE_HZ = 24_000

_AUDIO_OUTPUT_RETRIEVAL = 1
_CHARS_UTF8 = 1
_PARAMETER_RATE = 1
_PARAMETER_PITCH = 3
_EVENT_LIST_END = 0
_EVENT_WORD = 1
_BREATHINESS_SEED = 1
_SILENCE_AMPLITUDE = 0.003


class SpeechSynthesisError(RuntimeError):
    """The speech synthesiser is missing, or refused a voice or a text."""


@dataclass(frozen=True)
class Voice:
    """One synthetic speaker.

    Attributes:
        name: espeak-ng voice, with an optional variant after a plus sign.
        pitch: espeak-ng pitch, 0 to 99.
        words_per_minute: espeak-ng speaking rate.
        laugh_pitch_hz: fundamental frequency at which the laughs of this speaker start.
    """

    name: str
    pitch: int
    words_per_minute: int
    laugh_pitch_hz: float


@dataclass(frozen=True)
class Utterance:
    """Speech of one sentence.

    Attributes:
        waveform: float32 [N] at 24 kHz, within [-1, 1].
        word_onsets: seconds from the start of the waveform, one for each word of the text.
    """

    waveform: npt.NDArray[np.float32]
    word_onsets: tuple[float, ...]


# No voice and no pitch setting is in two splits: train has the lowest and the highest settings,
# test the middle ones, validation those between.
VOICES: dict[str, tuple[Voice, ...]] = {
    "train": (
        Voice("en-us", 30, 165, 170.0),
        Voice("en-us+f2", 62, 172, 330.0),
        Voice("en", 26, 158, 160.0),
        Voice("en+f3", 66, 180, 345.0),
        Voice("en-us+m3", 33, 176, 180.0),
        Voice("en-us+f4", 70, 160, 360.0),
        Voice("en-gb-scotland+m1", 28, 170, 165.0),
        Voice("en-gb-scotland+f1", 64, 166, 340.0),
    ),
    "validation": (
        Voice("en-gb-x-rp+m7", 40, 164, 205.0),
        Voice("en-gb-x-rp+f5", 56, 174, 300.0),
        Voice("en-029+m4", 38, 170, 195.0),
    ),
    "test": (
        Voice("en-gb-x-gbclan+m2", 45, 168, 225.0),
        Voice("en-us-nyc+Annie", 51, 162, 275.0),
        Voice("en-gb-x-gbcwmd+m6", 47, 176, 240.0),
        Voice("en-us-nyc+steph", 50, 170, 265.0),
    ),
}


class _Event(ctypes.Structure):
    """`espeak_EVENT` of espeak-ng's `speak_lib.h`."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class Synthesizer:
    """espeak-ng with a state of its own; use it as a context manager.

    espeak-ng keeps counters in static variables from one sentence to the next, so that the same
    sentence sounds a little different the second time. Each instance therefore loads a private copy
    of the library: the same calls in the same order give the same samples, whatever ran before.
    """

    def __init__(self) -> None:
        """Load the library and its voices.

        Raises:
            SpeechSynthesisError: `espeakng_loader` is not installed or does not start.
        """
        try:
            import espeakng_loader  # noqa: PLC0415 (optional: only this class needs it)
        except ImportError as error:
            raise SpeechSynthesisError(
                "espeakng_loader is not installed, and only the synthetic sample needs it; "
                "install the dependency group with `uv sync --group sample`"
            ) from error
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        source = Path(espeakng_loader.get_library_path())
        self._library = ctypes.CDLL(str(shutil.copy(source, self._folder.name)))
        self._rate_hz: int = self._library.espeak_Initialize(
            _AUDIO_OUTPUT_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0
        )
        # Seeded with the clock otherwise; the breathiness of a voice is drawn from it.
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_BREATHINESS_SEED))
        if self._rate_hz <= 0:
            raise SpeechSynthesisError("espeak-ng did not start; reinstall espeakng-loader")
        self._chunks: list[npt.NDArray[np.int16]] = []
        self._word_onsets: dict[int, float] = {}  # by the place of the word in the text
        self._callback = _Callback(self._receive)  # kept here, or it would be collected
        self._library.espeak_SetSynthCallback(self._callback)

    def __enter__(self) -> "Synthesizer":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop espeak-ng and remove the private copy of the library."""
        self._library.espeak_Terminate()
        self._folder.cleanup()

    def speak(self, text: str, voice: Voice) -> Utterance:
        """Say one sentence.

        Args:
            text: ASCII words separated by single spaces; punctuation belongs to the word before it.
            voice: the speaker.

        Returns:
            The speech with one onset per word.

        Raises:
            SpeechSynthesisError: espeak-ng has no such voice, or gives no sound.
        """
        self._chunks.clear()
        self._word_onsets.clear()
        library = self._library
        if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise SpeechSynthesisError(f"espeak-ng has no voice {voice.name!r}")
        library.espeak_SetParameter(_PARAMETER_RATE, voice.words_per_minute, 0)
        library.espeak_SetParameter(_PARAMETER_PITCH, voice.pitch, 0)
        encoded = text.encode() + b"\0"
        library.espeak_Synth(encoded, len(encoded), 0, 1, 0, _CHARS_UTF8, None, None)
        library.espeak_Synchronize()
        if not self._chunks:
            raise SpeechSynthesisError(f"espeak-ng gives no sound for {text!r} as {voice.name!r}")
        samples = np.concatenate(self._chunks).astype(np.float32) / 32_768
        waveform = soxr.resample(samples, self._rate_hz, SAMPLE_RATE_HZ)
        num_audible = int(np.flatnonzero(np.abs(waveform) > _SILENCE_AMPLITUDE)[-1]) + 1
        onsets = self._onsets_of_all_words(text, num_audible / SAMPLE_RATE_HZ)
        return Utterance(waveform[:num_audible].astype(np.float32), onsets)

    def _onsets_of_all_words(self, text: str, seconds: float) -> tuple[float, ...]:
        """Return the onset of each word; espeak-ng says some pairs ("that a") as one word."""
        starts = [0, *(place + 1 for place, character in enumerate(text) if character == " ")]
        known = {n: self._word_onsets[at] for n, at in enumerate(starts) if at in self._word_onsets}
        known[len(starts)] = seconds
        onsets = np.interp(range(len(starts)), list(known), list(known.values()))
        return tuple(float(onset) for onset in onsets)

    def _receive(
        self,
        samples: "ctypes._Pointer[ctypes.c_short]",
        count: int,
        events: "ctypes._Pointer[_Event]",
    ) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while events and events[index].type != _EVENT_LIST_END:
            if events[index].type == _EVENT_WORD:
                start = events[index].text_position - 1
                self._word_onsets[start] = events[index].audio_position_ms / 1000
            index += 1
        return 0
