"""Which unit a transcript counts its times in."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from acoustic_event_prediction.corpus.findings import FileProblem
from acoustic_event_prediction.corpus.intervals import covered_share, make_table
from acoustic_event_prediction.corpus.tables import Interval

# The published files count 100 ns ticks; the corpus's documentation says microseconds.
UNITS_SECONDS = (1e-7, 1e-6)
_SLACK_SECONDS = 1.0
# A difference that chance doesn't make: the wrong unit puts words into the silence between turns.
_CLEAR_SHARE = 0.05
# Words last 0.08 s to 0.8 s: on a logarithmic scale, this is the middle.
_TYPICAL_WORD_SECONDS = 0.25


def words_in_seconds(words: Sequence[Interval], unit_seconds: float) -> pd.DataFrame:
    """Return the words as a table `onset`, `offset`, `text`, times in seconds."""
    table = make_table(words, ("onset", "offset", "text"))
    ticks = round(
        1 / unit_seconds
    )  # 1_000_000 * 1e-7 is 0.09999999999999999, 1_000_000 / 1e7 is 0.1
    return table.assign(onset=table["onset"] / ticks, offset=table["offset"] / ticks)


def tell_unit(words: Sequence[Interval], duration: float, turns: pd.DataFrame) -> float | None:
    """Return what one tick lasts in seconds, 1e-7 or 1e-6; None without words.

    A reading by which the words outlast the audio is out. If both fit, the one with clearly more
    word time inside turns wins; if that doesn't tell, the one whose words last as long as words do.

    Args:
        words: times in ticks.
        duration: of the audio, in seconds.
        turns: of the episode, may be empty.

    Raises:
        FileProblem: no reading fits the audio.
    """
    times = np.array([(word.onset, word.offset) for word in words], dtype=np.float64)  # [W, 2]
    times = times[np.isfinite(times).all(axis=1)] if len(times) else times
    if not len(times):
        return UNITS_SECONDS[0] if words else None
    fitting = [unit for unit in UNITS_SECONDS if times.max() * unit <= duration + _SLACK_SECONDS]
    if not fitting:
        raise FileProblem(
            f"its words run to {times.max() * UNITS_SECONDS[0]:.3f} s, the audio to "
            f"{duration:.3f} s",
            "put the transcript of this very recording there, or remove it",
        )
    if len(fitting) == 1:
        return fitting[0]
    covered = [covered_share(words_in_seconds(words, unit), turns) for unit in fitting]
    if abs(covered[0] - covered[1]) >= _CLEAR_SHARE:
        return fitting[int(np.argmax(covered))]
    typical = float(np.median(times[:, 1] - times[:, 0]))
    distances = [abs(np.log(max(typical * unit, 1e-9) / _TYPICAL_WORD_SECONDS)) for unit in fitting]
    return fitting[int(np.argmin(distances))]
