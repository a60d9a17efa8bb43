"""Synthetic conversations: who speaks, breathes and laughs when, as sound and as truth."""

from dataclasses import dataclass, field

import numpy as np

from acoustic_event_prediction.sample import sounds
from acoustic_event_prediction.sample.text import draw_sentence
from acoustic_event_prediction.sample.truth import Conversation, Event, Turn, Word
from acoustic_event_prediction.sample.voices import SAMPLE_RATE_HZ, Synthesizer, Voice

# All times in seconds, all pairs are the ends of a uniform distribution.
_SECONDS_BETWEEN_LAUGHS = (0.4, 2.6)
_SECONDS_FROM_BREATH_TO_LAUGH = (0.3, 0.6)
_BREATH_SHARE = (0.7, 0.95)  # of the time from its start to the laugh
_PAUSE_SECONDS = (0.15, 1.1)
# When the in-breath of a laugh starts, relative to the end of a pause. Early, so that the silence
# before a laugh without an in-breath is little longer than any other.
_BREATH_AROUND_NEXT_START = (-0.15, 0.2)
_LONG_PAUSE_SECONDS = (1.0, 1.6)
# A diarizer is generous at the edges of a turn. The same distribution for speech, breaths and
# laughs, so that the distance from the start of a turn tells little about what is coming.
_TURN_MARGIN_BEFORE = (0.1, 1.0)
_TURN_MARGIN_AFTER = (0.05, 0.5)
_TURN_MERGE_SECONDS = 0.4
_CLOSING_SECONDS = 4.5
_SHORTEST_SECONDS = 10.0

_CUE_PROBABILITY = 0.85
_CUE_GAIN = (0.9, 1.4)
_DISTRACTOR_PROBABILITY = 0.22
_DISTRACTOR_GAIN = (0.3, 0.9)
_SPEECH_AFTER_DISTRACTOR_PROBABILITY = 0.5
_SPEECH_OVER_LAUGH_PROBABILITY = 0.2
_CHANGE_OF_SPEAKER_PROBABILITY = 0.6
_SPEECH_GAIN = 0.4
_RARE_SHARE = 0.2
_NOISE_LEVEL = (0.0007, 0.002)


def converse(
    rng: np.random.Generator, voices: tuple[Voice, ...], shares: tuple[float, ...], seconds: float
) -> Conversation:
    """Let the voices talk and laugh for `seconds`.

    Args:
        rng: decides everything.
        voices: one for each speaker.
        shares: how likely each speaker is to take the next turn; sums to 1.
        seconds: duration, a whole number of milliseconds, at least 10 s.

    Returns:
        The conversation. Its length is exactly `seconds`, and it ends with some silence.

    Raises:
        ValueError: `seconds` is too short for a conversation.
        SpeechSynthesisError: the synthesiser is not installed.
    """
    if seconds < _SHORTEST_SECONDS:
        raise ValueError(f"a conversation needs {_SHORTEST_SECONDS:g} s, got {seconds:g} s")
    with Synthesizer() as synthesizer:
        timeline = _Timeline(rng, voices, shares, seconds, synthesizer)
        for speaker in range(len(voices)):
            timeline.say(speaker)
        next_laugh = timeline.now + rng.uniform(0.5, 2.5)
        while timeline.now < seconds - _CLOSING_SECONDS:
            if timeline.now >= next_laugh:
                timeline.laugh()
                next_laugh = timeline.now + rng.uniform(*_SECONDS_BETWEEN_LAUGHS)
                continue
            timeline.say(timeline.next_speaker())
            if rng.random() < _DISTRACTOR_PROBABILITY:
                timeline.breathe()
    return timeline.finish()


@dataclass
class _Timeline:
    """A conversation while it grows; `now` is the time up to which it is written."""

    rng: np.random.Generator
    voices: tuple[Voice, ...]
    shares: tuple[float, ...]
    seconds: float
    synthesizer: Synthesizer
    now: float = 0.5
    last_speaker: int = 0
    events: list[Event] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    spans: list[Turn] = field(default_factory=list)

    def __post_init__(self) -> None:
        num_samples = round(self.seconds * SAMPLE_RATE_HZ)
        level = self.rng.uniform(*_NOISE_LEVEL) / len(self.voices) ** 0.5
        self.tracks = np.stack(
            [sounds.room_noise(self.rng, num_samples=num_samples, level=level) for _ in self.voices]
        )  # [S, N]

    def next_speaker(self) -> int:
        """Return who speaks next: often the same as before."""
        if self.rng.random() < _CHANGE_OF_SPEAKER_PROBABILITY:
            shares = np.array(self.shares)
            shares[self.last_speaker] = 0
            self.last_speaker = int(self.rng.choice(len(shares), p=shares / shares.sum()))
        return self.last_speaker

    def say(self, speaker: int) -> None:
        """Add a sentence and the pause after it."""
        self.now = self._sentence(speaker, self.now) + self.rng.uniform(*_PAUSE_SECONDS)

    def breathe(self) -> None:
        """Add an in-breath that no laugh follows: before speech of the same speaker, or silence."""
        speaker = self._anyone()
        lead = self.rng.uniform(*_SECONDS_FROM_BREATH_TO_LAUGH)
        offset = self._breath(speaker, self.now, lead, self.rng.uniform(*_DISTRACTOR_GAIN))
        self._mark("Breath", self.now, offset, speaker)
        if self.rng.random() < _SPEECH_AFTER_DISTRACTOR_PROBABILITY:
            self.spans.append(Turn(self.now, offset, speaker))
            self.now = offset + self.rng.uniform(0.1, 0.3)
            self.say(speaker)
        else:
            self.spans.append(Turn(self.now, offset + self.rng.uniform(0.2, 0.6), speaker))
            self.now = offset + self.rng.uniform(*_LONG_PAUSE_SECONDS)

    def laugh(self) -> None:
        """Add a laugh, mostly after an in-breath, sometimes under the speech of somebody else."""
        rng, speaker = self.rng, self._anyone()
        breath_onset = self.now + rng.uniform(*_BREATH_AROUND_NEXT_START)
        lead = rng.uniform(*_SECONDS_FROM_BREATH_TO_LAUGH)
        onset = breath_onset + lead
        if rng.random() < _CUE_PROBABILITY:
            self._breath(speaker, breath_onset, lead, rng.uniform(*_CUE_GAIN))
        waveform = sounds.laugh(rng, pitch_hz=self.voices[speaker].laugh_pitch_hz)
        offset = self._add(speaker, onset, waveform)
        self._mark("Laughter", onset, offset, speaker)
        self.spans.append(Turn(breath_onset, offset, speaker))
        if rng.random() < _SPEECH_OVER_LAUGH_PROBABILITY:
            other = (speaker + 1) % len(self.voices)
            offset = max(offset, self._sentence(other, onset + rng.uniform(-0.3, 0.6)))
        self.now = offset + rng.uniform(0.3, 0.8)

    def finish(self) -> Conversation:
        """Return the conversation, everything in the order of time."""
        return Conversation(
            tracks=self.tracks,
            events=tuple(sorted(self.events, key=lambda event: event.onset)),
            words=tuple(sorted(self.words, key=lambda word: word.onset)),
            turns=self._turns(),
        )

    def _anyone(self) -> int:
        return int(self.rng.choice(len(self.voices), p=self.shares))

    def _sentence(self, speaker: int, onset: float) -> float:
        """Add a sentence with its words and their labels, and return when it ends.

        A sentence that would outlast the recording is left unsaid.
        """
        # Whoever rarely speaks also says little when he does.
        longest = 9 if self.shares[speaker] > _RARE_SHARE else 5
        sentence = draw_sentence(self.rng, shortest=longest // 2, longest=longest)
        utterance = self.synthesizer.speak(sentence.text, self.voices[speaker])
        if onset + len(utterance.waveform) / SAMPLE_RATE_HZ > self.seconds:
            return onset
        offset = self._add(speaker, onset, _SPEECH_GAIN * utterance.waveform)
        edges = [*(onset + start for start in utterance.word_onsets), offset]
        self.words += [
            Word(text, edges[index], edges[index + 1], speaker)
            for index, text in enumerate(sentence.words)
        ]
        for label in sentence.labels:
            self._mark(label.label, edges[label.start], edges[label.stop], speaker)
        self.spans.append(Turn(onset, offset, speaker))
        return offset

    def _breath(self, speaker: int, onset: float, lead: float, gain: float) -> float:
        seconds = lead * self.rng.uniform(*_BREATH_SHARE)
        return self._add(speaker, onset, sounds.in_breath(self.rng, seconds=seconds, gain=gain))

    def _add(self, speaker: int, onset: float, waveform: sounds.Waveform) -> float:
        """Add sound to a track, and return when the sound ends."""
        start = round(onset * SAMPLE_RATE_HZ)
        stop = start + len(waveform)
        assert stop <= self.tracks.shape[1], "the last seconds are kept free"
        self.tracks[speaker, start:stop] += waveform
        return stop / SAMPLE_RATE_HZ

    def _mark(self, label_full: str, onset: float, offset: float, speaker: int) -> None:
        consolidated = "Words" if label_full == "Repetitions" else label_full
        self.events.append(
            Event(label_full, consolidated, round(onset, 3), round(offset, 3), speaker)
        )

    def _turns(self) -> tuple[Turn, ...]:
        """Widen what each speaker utters by random margins, and join what is close together."""
        turns: list[Turn] = []
        for speaker in range(len(self.voices)):
            own: list[Turn] = []
            for span in sorted(
                (span for span in self.spans if span.speaker == speaker),
                key=lambda span: span.onset,
            ):
                onset = max(0.0, span.onset - self.rng.uniform(*_TURN_MARGIN_BEFORE))
                offset = min(self.seconds, span.offset + self.rng.uniform(*_TURN_MARGIN_AFTER))
                if own and onset - own[-1].offset < _TURN_MERGE_SECONDS:
                    onset, offset = own[-1].onset, max(offset, own.pop().offset)
                own.append(Turn(round(onset, 3), round(offset, 3), speaker))
            turns += own
        return tuple(sorted(turns, key=lambda turn: turn.onset))
