from acoustic_event_prediction.speech_lm.temporal import TokenIds
from acoustic_event_prediction.speech_lm.words import TextRow, Word

PAD, END = 3, 0
TOKENS = TokenIds(
    audio_initial=256,
    text_initial=400,
    text_padding=PAD,
    text_end_padding=END,
    no_input=-1,
    num_codebooks=8,
    delays=(0,) * 17,
)
VOCABULARY = {"hi": [10], "hello": [20, 21, 22], "you": [30]}


def text_row(*, placement: str = "words", reset_frames: int | None = None) -> TextRow:
    return TextRow(
        VOCABULARY.__getitem__, placement=placement, tokens=TOKENS, reset_frames=reset_frames
    )


def row(words: list[Word], *, placement: str = "words", frames: int = 10) -> list:
    made = text_row(placement=placement)
    made.add(words)
    return made.read(frames).tolist()


def test_tokens_follow_one_another_from_the_words_first_frame_after_a_mark() -> None:
    # 0.24 s is frame 3.
    assert row([Word("hello", 0.24, 0.8)]) == [PAD, PAD, END, 20, 21, 22, PAD, PAD, PAD, PAD]


def test_a_word_in_frame_zero_has_no_mark() -> None:
    assert row([Word("hi", 0.0, 0.2)], frames=3) == [10, PAD, PAD]


def test_a_new_word_cuts_off_what_is_left_of_the_one_before() -> None:
    words = [Word("hello", 0.08, 0.16), Word("you", 0.24, 0.4)]
    assert row(words, frames=5) == [END, 20, 21, 30, PAD]


def test_of_two_words_in_one_frame_the_later_stays() -> None:
    assert row([Word("you", 0.17, 0.3), Word("hi", 0.2, 0.3)], frames=4) == [PAD, END, 10, PAD]


def test_a_word_without_duration_is_left_out() -> None:
    assert row([Word("hi", 0.2, 0.2)], frames=4) == [PAD] * 4


def test_words_at_end_come_in_the_frame_in_which_they_end_and_unannounced() -> None:
    # The word ends at 0.42 s, in frame 5; feature 6 is the first to know it and has heard 0.48 s.
    words = [Word("hello", 0.08, 0.42)]
    assert row(words, placement="words_at_end") == [PAD] * 5 + [20, 21, 22, PAD, PAD]


def test_after_a_reset_nothing_is_left_of_a_word_and_the_first_one_has_no_mark() -> None:
    made = text_row(reset_frames=5)
    made.add([Word("hello", 0.24, 0.5), Word("hi", 0.56, 0.7), Word("you", 0.8, 0.9)])
    # Frames 0 to 4, 5 to 9, 10 and 11.
    expected = [[PAD, PAD, END, 20, 21], [PAD, END, 10, PAD, PAD], [30, PAD]]
    assert [made.read(len(part)).tolist() for part in expected] == expected


def test_words_may_come_while_the_row_is_read() -> None:
    early, late = [Word("hello", 0.08, 0.3)], [Word("you", 0.56, 0.62)]  # frames 1 and 7
    made = text_row()
    made.add(early)
    first = made.read(6).tolist()
    made.add(late)
    assert first + made.read(4).tolist() == row(early + late)


def test_a_word_that_comes_too_late_begins_at_once() -> None:
    made = text_row()
    assert made.read(4).tolist() == [PAD] * 4
    made.add([Word("hello", 0.08, 0.3)])
    assert made.read(4).tolist() == [20, 21, 22, PAD]


def test_words_that_come_too_late_follow_one_another_and_then_what_is_due() -> None:
    made = text_row()
    made.read(4)
    made.add([Word("you", 0.2, 0.25), Word("hi", 0.08, 0.15), Word("hello", 0.32, 0.6)])
    assert made.read(6).tolist() == [10, 30, 20, 21, 22, PAD]


def test_later_words_do_not_change_earlier_frames_at_words_end() -> None:
    early = [Word("hello", 0.08, 0.3)]
    late = [*early, Word("you", 0.5, 0.62)]  # ends in frame 7
    assert row(early, placement="words_at_end")[:7] == row(late, placement="words_at_end")[:7]
