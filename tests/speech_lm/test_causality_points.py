import numpy as np

from acoustic_event_prediction.speech_lm.causality_points import (
    FEWEST_FRAMES,
    count_excerpt_frames,
    draw_assignments,
    draw_frames,
)
from acoustic_event_prediction.speech_lm.words import Word


def test_an_excerpt_ends_with_the_episode_or_with_the_last_whole_frame() -> None:
    # 2 s are 25 frames, 2.05 s are 25.6.
    assert [count_excerpt_frames(100, seconds) for seconds in (2, 2.05, 60)] == [25, 25, 100]


def frames_of(words: list[Word], num_points: int, seed: int = 0, num_frames: int = 100):
    return draw_frames(words, num_frames, num_points, np.random.default_rng(seed))


def test_half_of_the_points_are_last_frames_of_words_the_longest_among_them() -> None:
    # 0.8 s is where frame 10 starts: the first word is over then, and frame 9 is its last.
    words = [Word("a", 0.4, 0.8), Word("longest", 2.0, 3.5), Word("b", 4.0, 4.33)]
    ends = {9, 43, 54}
    for seed in range(20):
        frames = frames_of(words, 4, seed)
        assert len(set(frames)) == 4
        assert frames == sorted(frames)
        assert 43 in frames
        assert len(ends & set(frames)) >= 2


def test_without_words_all_points_are_in_the_excerpt_and_leave_time_for_an_effect() -> None:
    frames = frames_of([], 200)
    assert frames == list(range(1, 96))
    assert frames_of([], 5) != frames_of([], 5, seed=1)


def test_words_without_duration_or_outside_the_excerpt_give_no_points() -> None:
    words = [Word("late", 7.9, 8.6), Word("nothing", 1.0, 1.0), Word("first", 0.0, 0.08)]
    assert frames_of(words, 3, seed=2) == frames_of([], 3, seed=2)


def test_the_shortest_excerpt_has_room_for_points() -> None:
    assert frames_of([], 3, num_frames=FEWEST_FRAMES)


def test_assignments_with_words_are_drawn_first_and_in_no_order_of_the_mapping() -> None:
    has_words = {f"train/{letter}/x": letter in "bdf" for letter in "abcdefgh"}
    drawn = draw_assignments(has_words, 5, seed=0)
    assert set(drawn[:3]) == {"train/b/x", "train/d/x", "train/f/x"}
    assert len(set(drawn)) == 5
    assert draw_assignments(dict(reversed(has_words.items())), 5, seed=0) == drawn
    assert len({tuple(draw_assignments(has_words, 3, seed)) for seed in range(10)}) > 1
    assert len(draw_assignments(has_words, 100, seed=0)) == 8
