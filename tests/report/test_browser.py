from collections.abc import Callable

import numpy as np
import pandas as pd

from acoustic_event_prediction.alarms import AlarmRule, find_alarms
from acoustic_event_prediction.event_frames import EventFrames
from acoustic_event_prediction.report.browser import (
    BrowserSettings,
    ErrorEntry,
    EvaluatedFrames,
    Phrase,
    browse_errors,
    words_around,
)
from acoustic_event_prediction.report.strips import Span
from tests.report.made import words

SILENT = BrowserSettings(snippet_seconds=4.0, errors_per_episode=3, max_megabytes=0.0)
NAMES = ("test/a/A", "test/b/mix")


def evaluated() -> EvaluatedFrames:
    """Two partitions of 8 s: a miss at 6.05 s in the first, a false alarm at 0.8 s in the other."""
    scores = [np.full(100, 0.1), np.full(100, 0.1)]
    scores[1][10:12] = 0.9
    ignored = [np.zeros(100, bool)] * 2
    frames = EventFrames.join(
        scores, ignored, [[6.05], []], [np.array([True]), np.array([], bool)], [0, 1]
    )
    alarms = find_alarms(frames.scores, frames.ignored, frames.starts, AlarmRule(0.5, 0, 0.08, 0))
    return EvaluatedFrames(NAMES, frames, alarms, 0.5, 5)


def browse(
    spoken: dict[str, Callable[[], pd.DataFrame]], speakers: tuple[str | None, ...] = ("B", "C")
) -> list[ErrorEntry]:
    # Two laughs in one frame are one event.
    rows = [(6.05, 7.0, speakers[0]), (6.06, 7.5, speakers[1])]
    events = pd.DataFrame(rows, columns=["onset", "offset", "speaker"])
    tables = {NAMES[0]: events.copy, NAMES[1]: events.iloc[:0].copy}
    return browse_errors(evaluated(), tables, spoken, {}, SILENT)


def test_a_miss_has_its_speakers_its_words_and_its_drawing() -> None:
    table = words((1.0, 2.0, "before", "A"), (5.0, 5.5, "well", "A"), (6.5, 7.0, "ha", None))
    miss, _ = browse({"test/a": table.copy})

    assert (miss.kind, miss.episode_id, miss.user) == ("miss", "test/a", "A")
    assert (miss.speaker, miss.score) == ("B, C", "0.100")
    assert (miss.start, miss.time, miss.end, miss.offset) == ("0:04.0", "0:06.0", "0:08.0", "2.00")
    assert miss.phrases == (Phrase("A", "well", False), Phrase("unknown", "ha", True))
    # The drawing goes from 4.05 to 8.05 s; the window is 5.6 to 6 s.
    assert miss.strip.events[0] == Span(300, 142.5)
    assert miss.strip.windows[0] == Span(232.5, 60)
    assert miss.strip.alarms == ()


def test_a_false_alarm_of_a_mono_user_without_words_at_the_start_of_an_episode() -> None:
    _, alarm = browse({})

    assert (alarm.kind, alarm.user, alarm.speaker) == ("false_alarm", "mix", None)
    # The sound begins with the episode: the moment is no longer in the middle.
    assert (alarm.start, alarm.time, alarm.end, alarm.offset) == (
        *("0:00.0", "0:00.8", "0:02.8"),
        "0.800",
    )
    assert alarm.phrases == ()
    assert alarm.strip.alarms == (round(0.8 / 2.8 * 600, 1),)


def test_an_event_that_nobody_is_known_to_make_is_of_unknown() -> None:
    miss, _ = browse({}, (None, None))
    assert miss.speaker == "unknown"


def test_places_follow_partition_and_time() -> None:
    assert [entry.place for entry in browse({})] == [0, 1]


def test_words_are_joined_by_speaker_and_side() -> None:
    table = words(
        (3.2, 3.4, "no", "B"),
        (1.9, 2.1, "so", "A"),
        (2.5, 2.9, "I", "A"),
        (2.9, 3.3, "said", "A"),
        (3.0, 3.1, "and", "A"),
        (4.0, 4.2, "late", "A"),
        (1.0, 2.0, "early", "A"),
    )

    assert words_around(table, 2.0, 4.0, 3.0) == [
        Phrase("A", "so I said", False),
        Phrase("A", "and", True),
        Phrase("B", "no", True),
    ]
