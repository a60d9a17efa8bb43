from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.corpus.findings import Finding
from acoustic_event_prediction.corpus.survey import read_recordings
from acoustic_event_prediction.prediction.recordings import find_recordings
from acoustic_event_prediction.prediction.requirements import Requirements
from acoustic_event_prediction.prediction.streams import (
    PreparedRecording,
    describe_missing,
    prepare_recordings,
)
from acoustic_event_prediction.speech_lm.episode_input import laugh_spans
from tests.made import prediction_params
from tests.prediction.made import requirements

RATE = 8000
TURNS = (
    "SPEAKER talk 1 0.0 3.0 <NA> <NA> Ann <NA> <NA>\n"
    "SPEAKER talk 1 3.0 2.0 <NA> <NA> Bo <NA> <NA>\n"
    "SPEAKER talk 1 5.0 0.5 <NA> <NA> Cy <NA> <NA>\n"
)


def write(path: Path, *gates: np.ndarray) -> Path:
    """Six seconds of noise, a channel for each gate [6], which says when it is loud."""
    path.parent.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    channels = [np.repeat(gate, RATE) * generator.normal(0, 0.1, 6 * RATE) for gate in gates]
    sf.write(path, np.stack(channels, axis=1).astype(np.float32), RATE)
    return path


FIRST = np.array([1.0, 1.0, 0.01, 0.01, 1.0, 0.01])
SECOND = np.array([0.01, 0.01, 1.0, 1.0, 0.01, 1.0])


def prepare(
    needs: Requirements, recording: Path, **params: object
) -> tuple[list[PreparedRecording], list[Finding]]:
    values = prediction_params(recording=str(recording), **params)
    corpus = find_recordings(values)
    readings = read_recordings(corpus, corpus.episodes)
    prepared = prepare_recordings(corpus, readings, needs, values)
    return prepared, [problem for reading in readings for problem in reading.findings.problems]


def only(needs: Requirements, recording: Path, **params: object) -> PreparedRecording:
    prepared, problems = prepare(needs, recording, **params)
    assert not problems
    (recorded,) = prepared
    return recorded


def users(recorded: PreparedRecording) -> dict[str, tuple[str, ...]]:
    return {assignment.user: assignment.systems for assignment in recorded.assignments}


def test_a_mono_recording_is_one_stream(tmp_path: Path) -> None:
    recorded = only(requirements(sources=("mono",)), write(tmp_path / "talk.wav", FIRST))
    assert (recorded.source, users(recorded)) == ("mono", {"mix": ()})
    assert recorded.missing == ()


def test_turns_give_a_stream_to_each_who_speaks_enough(tmp_path: Path) -> None:
    (tmp_path / "talk.rttm").write_text(TURNS)
    recorded = only(
        requirements(),
        write(tmp_path / "talk.wav", FIRST),
        turns=str(tmp_path / "talk.rttm"),
    )
    assert recorded.source == "diarization"
    assert users(recorded) == {"Ann": ("Bo", "Cy"), "Bo": ("Ann", "Cy")}


def test_turns_that_name_another_recording_are_taken_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "who.rttm").write_text(TURNS.replace("talk", "call"))
    recorded = only(
        requirements(), write(tmp_path / "talk.wav", FIRST), turns=str(tmp_path / "who.rttm")
    )
    assert set(users(recorded)) == {"Ann", "Bo"}
    (warning,) = map(str, recorded.reading.findings.warnings)
    assert "by its lines it is about 'call'; they are taken as those of 'talk'" in warning


def test_of_the_lines_of_several_recordings_the_own_ones_are_taken(tmp_path: Path) -> None:
    laugh = "NON-LEX {} 1 1.0 0.5 <NA> laugh Ann <NA> <NA>\n"
    lines = TURNS + TURNS.replace("talk", "x").replace("Ann", "Zoe") + laugh.format("x")
    (tmp_path / "all.rttm").write_text(lines + laugh.format("talk").replace("1.0", "2.0"))
    path = write(tmp_path / "talk.wav", FIRST)
    sides = dict.fromkeys(("turns", "laughs"), str(tmp_path / "all.rttm"))
    reading = only(requirements(mask_laughter="both"), path, **sides).reading
    assert set(reading.turns["speaker"]) == {"Ann", "Bo", "Cy"}
    assert laugh_spans(reading.events) == [(2.0, 2.5)]
    assert not reading.findings.warnings
    (tmp_path / "all.rttm").write_text(lines.replace("talk", "y"))
    _, problems = prepare(requirements(), path, turns=str(tmp_path / "all.rttm"))
    assert "is about 'x', 'y', none of which is 'talk'" in str(problems[0])


def test_channels_that_take_turns_are_speakers(tmp_path: Path) -> None:
    recorded = only(requirements(), write(tmp_path / "talk.wav", FIRST, SECOND))
    assert recorded.source == "separated"
    assert users(recorded) == {"channel_1": ("channel_2",), "channel_2": ("channel_1",)}
    assert [file.channel for file in recorded.episode.tracks.values()] == [0, 1]


def test_channels_that_are_alike_are_a_mixdown(tmp_path: Path) -> None:
    recorded = only(requirements(), write(tmp_path / "talk.wav", FIRST, FIRST))
    assert recorded.source == "mono"


def test_the_user_may_decide_about_channels(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST, SECOND)
    assert only(requirements(), path, channels="mix").source == "mono"
    alike = write(tmp_path / "alike.wav", FIRST, FIRST)
    assert only(requirements(), alike, channels="speakers").source == "separated"
    _, problems = prepare(requirements(), write(tmp_path / "one.wav", FIRST), channels="speakers")
    assert "one channel" in str(problems[0])


def test_a_predictor_of_mixes_hears_one_stream_whatever_there_is(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST, SECOND)
    assert only(requirements(sources=("mono",)), path).source == "mono"


def test_tracks_are_heard_as_in_training(tmp_path: Path) -> None:
    path = write(tmp_path / "mix" / "talk.wav", FIRST)
    for speaker, gate in (("Ann", FIRST), ("Bo", SECOND)):
        write(tmp_path / "tracks" / "talk" / f"{speaker}.wav", gate)
    for folder in ("tracks", "tracks/talk"):
        recorded = only(requirements(), path, tracks=str(tmp_path / folder))
        assert recorded.source == "separated"
        assert users(recorded) == {"Ann": ("Bo",), "Bo": ("Ann",)}


def test_one_user_can_be_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST, SECOND)
    assert list(users(only(requirements(), path, user="channel_2"))) == ["channel_2"]
    _, problems = prepare(requirements(), path, user="Ann")
    assert "no user 'Ann', only channel_1, channel_2" in str(problems[0])


def test_whoever_is_asked_for_need_not_speak_much(tmp_path: Path) -> None:
    (tmp_path / "talk.rttm").write_text(TURNS)
    recorded = only(
        requirements(),
        write(tmp_path / "talk.wav", FIRST),
        turns=str(tmp_path / "talk.rttm"),
        user="Cy",
    )
    assert users(recorded) == {"Cy": ("Ann", "Bo")}


@pytest.mark.parametrize(
    ("sources", "changes", "missing"),
    [
        (("diarization",), {"text": "none"}, ("turns",)),
        (("diarization",), {"text": "words"}, ("turns",)),
        (("diarization", "mono"), {"text": "words"}, ()),
        (("mono",), {"text": "words", "mask_laughter": "both"}, ("laughs",)),
    ],
)
def test_a_mono_recording_lacks_what_the_predictor_was_trained_with(
    tmp_path: Path, sources: tuple[str, ...], changes: dict[str, str], missing: tuple[str, ...]
) -> None:
    path = write(tmp_path / "talk.wav", FIRST)
    assert only(requirements(sources=sources, **changes), path).missing == missing


def test_words_count_only_if_it_is_known_whose_they_are(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST, SECOND)
    needs = requirements(text="words")
    words = tmp_path / "said.csv"
    assert only(needs, path).missing == ("words",)
    words.write_text("onset,offset,text\n0.5,0.8,hello\n")
    assert only(needs, path, words=str(words)).missing == ("words",)
    words.write_text("onset,offset,text,speaker\n0.5,0.8,hello,channel_2\n")
    assert only(needs, path, words=str(words)).missing == ()


def test_words_of_strangers_are_told_and_count_as_none(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST, SECOND)
    words = tmp_path / "said.csv"
    words.write_text("onset,offset,text,speaker\n0.5,0.8,hello,Ann\n")
    recorded = only(requirements(text="words"), path, words=str(words))
    assert recorded.missing == ("words",)
    warnings = [str(warning) for warning in recorded.reading.findings.warnings]
    assert any("are of Ann; those of channel_1, channel_2 are read" in text for text in warnings)


def test_the_users_own_words_count_as_none(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST, SECOND)
    words = tmp_path / "said.csv"
    words.write_text("onset,offset,text,speaker\n0.5,0.8,hello,channel_1\n")
    both = only(requirements(text="words"), path, words=str(words))
    assert both.missing == ()
    one = only(requirements(text="words"), path, words=str(words), user="channel_1")
    assert one.missing == ("words",)


LAUGHS = {
    "labels.txt": "1.0\t1.5\t[laugh]\n",
    "labels.csv": "onset,offset,label\n1.0,1.5,Laughter\n",
    "unlabelled.csv": "onset,offset\n1.0,1.5\n",
    "of_another_name.csv": "episode,onset,offset,label\nsomething,1.0,1.5,laughter\n",
    "speaker.rttm": "SPEAKER x 1 1.0 0.5 <NA> <NA> Laughter <NA> <NA>\n",
    "nonlex.rttm": "NON-LEX x 1 1.0 0.5 <NA> laugh Ann <NA> <NA>\n",
}


@pytest.mark.parametrize("name", LAUGHS)
def test_laughs_are_read_from_any_label_file(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "talk.wav", FIRST)
    (tmp_path / name).write_text(LAUGHS[name])
    needs = requirements(sources=("mono",), mask_laughter="both", text="none")
    recorded = only(needs, path, laughs=str(tmp_path / name))
    assert recorded.missing == ()
    assert laugh_spans(recorded.reading.events) == [(1.0, 1.5)]


def test_labels_that_mean_no_laugh_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST)
    (tmp_path / "labels.txt").write_text("1.0\t1.5\tLachen\n2.0\t2.5\tcough\n")
    needs = requirements(sources=("mono",), mask_laughter="both", text="none")
    recorded = only(needs, path, laughs=str(tmp_path / "labels.txt"))
    assert recorded.missing == ("laughs",)
    assert "'Lachen', 'cough'" in str(recorded.reading.findings.warnings[-1])


def test_an_empty_label_file_says_that_there_is_no_laugh(tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", FIRST)
    needs = requirements(sources=("mono",), mask_laughter="both", text="none")
    (tmp_path / "laughs.txt").write_text("")
    assert only(needs, path, laughs=str(tmp_path / "laughs.txt")).missing == ()


def test_what_is_missing_can_be_refused_or_is_told_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.wav", FIRST)
    needs = requirements(mask_laughter="both", text="none")
    prepared, problems = prepare(needs, tmp_path, on_missing="raise")
    assert not prepared
    assert any("prediction.laughs=" in str(problem) for problem in problems)
    prepared, problems = prepare(needs, tmp_path)
    assert not problems
    sentences = describe_missing(prepared)
    assert len(sentences) == 2
    assert all(sentence.startswith("2 recordings, e.g. a: ") for sentence in sentences)


def test_one_broken_recording_does_not_stop_the_others(tmp_path: Path) -> None:
    write(tmp_path / "good.wav", FIRST)
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.mp3").write_text("no audio at all")
    (tmp_path / "dangling.flac").symlink_to(tmp_path / "gone.flac")
    prepared, problems = prepare(requirements(), tmp_path)
    assert [item.episode.name for item in prepared] == ["good"]
    assert {problem.episode_id for problem in problems} == {
        "recordings/empty",
        "recordings/text",
        "recordings/dangling",
    }
