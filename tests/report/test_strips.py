import numpy as np

from acoustic_event_prediction.report.strips import HEIGHT, WIDTH, Span, Strip, draw_strip


def draw(scores: list[float], start: float, end: float, **changes: object) -> Strip:
    values = {"threshold": 0.75, "events": [], "alarms": [], "horizon": 1}
    return draw_strip(np.array(scores), start, end, **(values | changes))


def test_each_frame_is_a_step() -> None:
    # Two frames in 0.16 s: half the width each; a score of 1 is at the top.
    assert (WIDTH, HEIGHT) == (600, 100)
    assert draw([0.25, 1.0], 0.0, 0.16).path == "M0,75H300V0H600"


def test_the_path_is_cut_to_the_span_and_ends_with_the_frames() -> None:
    # From the middle of frame 1 to 0.24 s; frame 3 does not exist.
    path = draw([0.0, 1.0, 0.5], 0.12, 0.32).path
    assert path == "M0,0H120V50H360"


def test_frames_without_a_score_leave_a_gap() -> None:
    assert draw([0.0, np.nan, 1.0], 0.0, 0.24).path == "M0,100H200M400,0H600"


def test_events_their_windows_and_alarms_lie_at_their_times() -> None:
    strip = draw(
        [0.0] * 10, 0.0, 0.8, events=[(0.24, 0.4), (9.0, 9.5)], alarms=[0.16, 5.0], horizon=2
    )

    assert strip.events == (Span(180, 120),)
    # Two frames before the onset's frame.
    assert strip.windows == (Span(60, 120),)
    assert strip.alarms == (120,)
    assert strip.threshold_y == 25


def test_the_window_of_an_event_beyond_the_border_is_seen() -> None:
    strip = draw([0.0] * 10, 0.0, 0.4, events=[(0.48, 0.6)], horizon=3)
    assert strip.events == ()
    assert strip.windows == (Span(360, 240),)
