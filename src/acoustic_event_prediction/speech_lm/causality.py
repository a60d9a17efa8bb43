"""How far features look ahead: everything after a time is changed; which feature notices first?

At a point, a frame f, all that is not yet known at f * 80 ms is replaced: both streams' audio from
sample f * 1920 on, and every word that has not ended by then. `delay` is the first feature that
differs from the unchanged one, minus f. Without a leak it is 1 or more: feature f + 1 is the first
that has heard frame f. A delay of 0 or less is knowledge of the future. `text: words` has it:
a word's tokens stand from the frame in which the word begins, behind a mark in the frame before, so
that the last frame of a word of L frames is known L - 1 frames ahead.

Source: docs/labeling.md#is-it-really-a-prediction-the-causality-check
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict

from acoustic_event_prediction.errors import AudioError
from acoustic_event_prediction.frames import SAMPLES_PER_FRAME, start_of
from acoustic_event_prediction.params import (
    CausalityCheckParams,
    FeatureExtractionParams,
    TextSetting,
)
from acoustic_event_prediction.speech_lm.causality_points import (
    FEWEST_FRAMES,
    count_excerpt_frames,
    draw_frames,
)
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.episode_input import AssignmentInput, EpisodeInput
from acoustic_event_prediction.speech_lm.extraction import text_row
from acoustic_event_prediction.speech_lm.features import BlockPlan, FeatureStream, samples_of
from acoustic_event_prediction.speech_lm.sources import StreamReader
from acoustic_event_prediction.speech_lm.streams import Samples
from acoustic_event_prediction.speech_lm.words import Word

Probe = Literal["audio", "words", "both"]
PROBES: tuple[Probe, ...] = get_args(Probe)
TEXT_SETTINGS: tuple[TextSetting, ...] = get_args(TextSetting)

_QUIETEST_LEVEL = 0.02
# Changes up to so many times the rounding between equal rows of a batch count as none.
ROUNDING_MARGIN = 4.0

Delays = list[int | None]


class Measurement(BaseModel):
    """The delays of one assignment.

    Attributes:
        assignment_id: `<split>/<episode>/<user>`.
        source: how its streams are made.
        num_frames: length of the excerpt.
        frames: the points, P frame numbers in order.
        in_word: [P]; whether the system is amid a word when the frame starts.
        delays: [P] in frames, by text setting and by what was changed; None: no feature changed.
        rounding: by how much equal rows of a batch differ at most, relative to the features' root
            mean square; 0 if they are equal bit by bit.
        device: `cpu` or `cuda`.
    """

    model_config = ConfigDict(frozen=True)

    assignment_id: str
    source: str
    num_frames: int
    frames: list[int]
    in_word: list[bool]
    delays: dict[TextSetting, dict[Probe, Delays]]
    rounding: float
    device: str


@dataclass(frozen=True)
class Excerpt:
    """The beginning of an episode as one assignment hears it, and what takes its place.

    Attributes:
        assignment: who hears it, and the system's words.
        plan: how it is cut into blocks.
        waveforms: float32 [2, N], the system's and the user's stream at 24 kHz.
        replacement: float32 [2, N], sound of the same level that agrees with them nowhere.
        stream_frames: [2]; frames that each stream has.
    """

    assignment: AssignmentInput
    plan: BlockPlan
    waveforms: Samples
    replacement: Samples
    stream_frames: list[int]


def measure_delays(
    episode: EpisodeInput,
    source: str,
    lm: SpeechLM,
    settings: FeatureExtractionParams,
    check: CausalityCheckParams,
    on_frames: Callable[[int], None],
) -> Measurement:
    """Return the delays of an episode's one assignment under every text setting.

    Args:
        episode: with exactly one assignment.
        source: how its streams are made.
        lm: the models.
        settings: of the extraction; its `text` does not matter here.
        check: how many points, in how many seconds.
        on_frames: told of the number of frames done, over all rows.

    Raises:
        AudioError: the audio can't be read, or the excerpt has fewer than FEWEST_FRAMES.
    """
    (assignment,) = episode.assignments
    rng = np.random.default_rng([check.seed, *assignment.assignment_id.encode()])
    num_frames = count_excerpt_frames(episode.num_frames, check.seconds)
    if num_frames < FEWEST_FRAMES:
        raise AudioError(
            f"the excerpt of {assignment.assignment_id!r} has {num_frames} frames, the causality "
            f"check needs {FEWEST_FRAMES} (0.8 s); raise causality_check.seconds"
        )
    plan = BlockPlan.of(num_frames, settings.chunk_frames, settings.reset_every_seconds)
    excerpt = read_excerpt(episode, plan, rng)
    frames = draw_frames(assignment.words, num_frames, check.points, rng)
    rounding = 0.0
    delays: dict[TextSetting, dict[Probe, Delays]] = {text: {} for text in TEXT_SETTINGS}
    for probe in PROBES:
        distances = _distances(excerpt, lm, settings, probe, frames, on_frames)
        noise = float(distances[:, -1].max())
        rounding = max(rounding, noise)
        for text, rows in zip(TEXT_SETTINGS, distances[:, :-1], strict=True):
            delays[text][probe] = [
                _delay(row, frame, ROUNDING_MARGIN * noise)
                for row, frame in zip(rows, frames, strict=True)
            ]
    return Measurement(
        assignment_id=assignment.assignment_id,
        source=source,
        num_frames=num_frames,
        frames=frames,
        in_word=[
            any(word.onset < start_of(frame) < word.offset for word in assignment.words)
            for frame in frames
        ],
        delays=delays,
        rounding=rounding,
        device=lm.device.type,
    )


def read_excerpt(episode: EpisodeInput, plan: BlockPlan, rng: np.random.Generator) -> Excerpt:
    """Return the audio of the first frames, and other sound of about the same level.

    The other sound is the excerpt played backwards plus noise as loud as the stream, and never
    silent: it changes codes also where a stream is silence.

    Raises:
        AudioError: a file can't be read.
    """
    (assignment,) = episode.assignments
    with StreamReader(episode.audio, assignment.streams) as reader:
        waveforms = reader.read(samples_of(0, plan.num_frames))  # [2, N]
        stream_frames = reader.count_frames()
    level = np.sqrt(np.mean(np.square(waveforms), axis=1, keepdims=True))  # [2, 1]
    noise = rng.standard_normal(waveforms.shape, dtype=np.float32)
    replacement = waveforms[:, ::-1] + noise * np.maximum(level, _QUIETEST_LEVEL)
    return Excerpt(assignment, plan, waveforms, replacement.astype(np.float32), stream_frames)


def _distances(
    excerpt: Excerpt,
    lm: SpeechLM,
    settings: FeatureExtractionParams,
    probe: Probe,
    frames: Sequence[int],
    on_frames: Callable[[int], None],
) -> npt.NDArray[np.float32]:
    """Return how far each feature is from the unchanged one, [text settings, P + 1, T].

    All variants go through the models in one batch, so that their arithmetic is the same. Under
    each text setting these are: the unchanged excerpt, P changed ones, and the unchanged one again,
    whose distance is the rounding between equal rows. A distance is the largest over a feature's
    dimensions, relative to the root mean square of the unchanged features.
    """
    plan = excerpt.plan
    variants: list[int | None] = [None, *frames, None]
    sounds = [None] if probe == "words" else variants
    heard = [0] * len(variants) if probe == "words" else list(range(len(variants)))
    tokens = _text_rows(excerpt, lm, [None] * len(variants) if probe == "audio" else variants)
    remaining = torch.tensor(excerpt.stream_frames * len(sounds))  # [2 * sounds]
    distances, squares = [], 0.0
    with FeatureStream(
        lm,
        plan,
        system_streams=[2 * sound for sound in heard] * len(TEXT_SETTINGS),
        user_streams=[2 * sound + 1 for sound in heard] * len(TEXT_SETTINGS),
        num_streams=len(remaining),
        order=settings.stream_order,
    ) as features:
        for start, stop, begins in plan.blocks():
            hidden = features.push(
                torch.from_numpy(_audio_block(excerpt, sounds, start, stop)),
                remaining - start,
                tokens[:, start:stop],
                begins=begins,
            ).float()  # [B, F, D]
            hidden = hidden.reshape(len(TEXT_SETTINGS), -1, *hidden.shape[1:])
            distances.append((hidden[:, 1:] - hidden[:, :1]).abs().amax(dim=-1).cpu())
            squares += float(hidden[:, 0].square().mean(dim=(0, 2)).sum())
            on_frames(len(tokens) * (stop - start))
    scale = float(np.sqrt(squares / plan.num_frames))
    relative: npt.NDArray[np.float32] = (torch.cat(distances, dim=-1) / scale).numpy()
    return relative


def _text_rows(excerpt: Excerpt, lm: SpeechLM, variants: Sequence[int | None]) -> torch.Tensor:
    """Return the text rows of all variants under each text setting, int64 [B, T]."""
    return torch.stack(
        [
            text_row(_words_until(excerpt.assignment.words, frame), excerpt.plan, lm, text)
            for text in TEXT_SETTINGS
            for frame in variants
        ]
    )


def _words_until(words: Sequence[Word], frame: int | None) -> Sequence[Word]:
    """Return the words that have ended when the frame starts; all of them for None."""
    if frame is None:
        return words
    return [word for word in words if word.offset <= start_of(frame)]


def _audio_block(excerpt: Excerpt, points: Sequence[int | None], start: int, stop: int) -> Samples:
    """Return frames start ... stop - 1 of every variant's two streams, float32 [2V, F * 1920]."""
    first, last = start * SAMPLES_PER_FRAME, stop * SAMPLES_PER_FRAME
    block = np.repeat(excerpt.waveforms[None, :, first:last], len(points), axis=0)  # [V, 2, n]
    for variant, frame in zip(block, points, strict=True):
        if frame is not None:
            cut = min(max(frame * SAMPLES_PER_FRAME, first), last)
            variant[:, cut - first :] = excerpt.replacement[:, cut:last]
    return block.reshape(2 * len(points), last - first)


def _delay(distances: npt.NDArray[np.float32], frame: int, tolerance: float) -> int | None:
    differing = np.flatnonzero(distances > tolerance)
    return int(differing[0]) - frame if len(differing) else None
