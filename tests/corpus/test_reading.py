import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf

from acoustic_event_prediction.corpus.episode_reading import EpisodeReading
from acoustic_event_prediction.corpus.layouts.podcastfillers import find_corpus
from acoustic_event_prediction.corpus.survey import read_episodes
from tests.corpus.tiny import COLUMNS, EVENTS, RATE_HZ, TURNS, TinyCorpus, noise


@pytest.fixture
def corpus(tmp_path: Path) -> TinyCorpus:
    return TinyCorpus(tmp_path)


def read(corpus: TinyCorpus) -> EpisodeReading:
    index = find_corpus(corpus.root)
    (reading,) = read_episodes(index, index.episodes)
    return reading


def problems(corpus: TinyCorpus) -> list[str]:
    return [str(finding) for finding in read(corpus).findings.problems]


def warnings(corpus: TinyCorpus) -> list[str]:
    return [str(finding) for finding in read(corpus).findings.warnings]


def rows(table: pd.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return list(table[list(columns)].itertuples(index=False, name=None))


def test_a_sound_episode_is_described(corpus: TinyCorpus) -> None:
    episode = read(corpus.add(tracks=["A", "B"])).episode
    assert episode is not None
    assert (episode.episode_id, episode.duration_seconds, episode.num_frames) == (
        *("train/show_1", 4.0, 50),
    )
    assert episode.audio.path == "audio/episode_wav/train/show_1.wav"
    assert len(episode.audio.sha256) == 64
    assert episode.sources == ("separated", "diarization", "mono")
    assert episode.transcript_unit_seconds == 1e-7


def test_tables_are_sorted_and_have_speakers(corpus: TinyCorpus) -> None:
    reading = read(corpus.add())
    assert rows(reading.events, "onset", "offset", "label", "speaker") == [
        (0.5, 0.7, "Um", "A"),
        (2.32, 3.0, "Laughter", "B"),
    ]
    assert rows(reading.turns, "onset", "offset", "speaker") == [*TURNS]
    assert rows(reading.words, "onset", "offset", "text", "speaker") == [
        (0.1, 0.4, "null", "A"),
        (2.3, 2.5, "yes", "B"),
    ]


def test_only_the_mix_is_one_stream_without_speakers(corpus: TinyCorpus) -> None:
    reading = read(corpus.add(turns=None))
    assert reading.episode is not None
    assert reading.episode.sources == ("mono",)
    assert reading.turns.empty
    assert reading.words["speaker"].isna().all()
    assert reading.events["speaker"].isna().all()


def test_the_mapping_overrules_the_turns(corpus: TinyCorpus) -> None:
    mapping = [("Laughter", 2.32, 3.0, "A")]
    assert list(read(corpus.add(mapping=mapping)).events["speaker"]) == ["A", "A"]


def test_both_spellings_of_columns_a_bom_crlf_and_text_that_looks_missing(
    corpus: TinyCorpus,
) -> None:
    corpus.add()
    path = corpus.annotation()
    path.write_bytes(
        b"\xef\xbb\xbfconsolidated_label,fullvoc_label,podcast_filename,"
        b"event_start_inepisode,event_end_inepisode\r\nNone,nan,show_1,1.0,2.0\r\n\r\n"
    )
    assert rows(read(corpus).events, "label", "label_full") == [("None", "nan")]


def test_a_csv_without_full_vocabulary_uses_the_labels(corpus: TinyCorpus) -> None:
    corpus.add()
    corpus.write_csv(corpus.annotation(), [("Um", "show_1", 1.0, 2.0)], COLUMNS[1:])
    assert rows(read(corpus).events, "label", "label_full") == [("Um", "Um")]


def test_an_annotation_without_rows_is_an_episode_without_events(corpus: TinyCorpus) -> None:
    reading = read(corpus.add(events=[]))
    assert reading.findings.problems == []
    assert reading.events.empty


def test_repeated_rows_are_dropped_and_counted(corpus: TinyCorpus) -> None:
    corpus.add(events=[*EVENTS, *EVENTS, *EVENTS])
    assert len(read(corpus).events) == 2
    assert "4 repeated rows were dropped" in warnings(corpus)[0]


def test_microseconds_are_recognised(corpus: TinyCorpus) -> None:
    reading = read(corpus.add(ticks_per_second=1_000_000))
    assert reading.episode is not None
    assert reading.episode.transcript_unit_seconds == 1e-6
    assert list(reading.words["onset"]) == [0.1, 2.3]


def test_transcript_segments_without_words_are_skipped(corpus: TinyCorpus) -> None:
    corpus.add()
    segments: list[object] = [{}, {"nbest": []}, {"nbest": [{}]}, {"nbest": [{"words": []}]}]
    word = {"text": "good", "offset": 10_000_000, "duration": 3_000_000}
    segments.append({"nbest": [{"words": [word, {"text": ""}]}, {"words": [word] * 3}]})
    corpus.write_json("transcripts", "train", "show_1", {"segments": segments})
    assert rows(read(corpus).words, "text", "onset") == [("good", 1.0)]


def test_stereo_is_mixed_down_with_a_warning(corpus: TinyCorpus) -> None:
    corpus.add(samples=noise(4.0, num_channels=2))
    assert problems(corpus) == []
    assert "2 channels were mixed down" in warnings(corpus)[0]


def test_events_come_from_the_table_of_all_episodes_without_an_own_file(
    corpus: TinyCorpus,
) -> None:
    corpus.add(name="Show, the 1st", events=None)
    shared = [("Um", "Um", "show the_1st", 1.0, 2.0), ("Um", "Um", "other", 3.0, 99.0)]
    corpus.write_csv(corpus.root / "metadata/PodcastFillers.csv", shared)
    assert rows(read(corpus).events, "onset", "offset") == [(1.0, 2.0)]


def test_missing_annotation_is_a_problem(corpus: TinyCorpus) -> None:
    corpus.add(events=None)
    assert "neither this file nor an annotation file" in problems(corpus)[0]
    corpus.write_csv(corpus.root / "metadata/PodcastFillers.csv", [("U", "U", "other", 1, 2)])
    assert "has no row for this episode" in problems(corpus)[0]


@pytest.mark.parametrize("written", ["../../evil", "/etc/passwd", "..\\evil", "another show"])
def test_rows_of_another_name_are_refused_and_name_it(corpus: TinyCorpus, written: str) -> None:
    corpus.add()
    corpus.write_csv(corpus.annotation(), [("Um", "Um", written, 1.0, 2.0)])
    (problem,) = problems(corpus)
    assert repr(written) in problem
    assert problem.startswith("train/show_1: metadata/episode_annotations/train/show_1.csv: line 2")


def test_csv_without_a_column_is_refused_with_its_name(corpus: TinyCorpus) -> None:
    corpus.add()
    corpus.write_csv(corpus.annotation(), [("Um", "Um", "show_1", 1.0)], COLUMNS[:4])
    assert "has no column event_end_inepisode" in problems(corpus)[0]


def test_csv_row_of_another_width_is_refused(corpus: TinyCorpus) -> None:
    corpus.add()
    corpus.write_csv(corpus.annotation(), [("Um", "Um", "show_1", 1.0, 2.0, "more")])
    assert "line 2 has 6 cells, the header 5" in problems(corpus)[0]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (("Um", 2.0, 1.0), "end before its start"),
        (("Um", -1.0, 1.0), "negative time"),
        (("Um", "soon", 1.0), "no finite number"),
        (("Um", 57.5, 58.0), "past the audio's end"),
    ],
)
def test_impossible_events_are_refused(
    corpus: TinyCorpus, event: tuple[str, float, float], problem: str
) -> None:
    corpus.add(events=[event])
    assert problem in problems(corpus)[0]


@pytest.mark.parametrize("kind", ["transcripts", "diarizations", "event_speaker_mapping"])
@pytest.mark.parametrize("content", ["{", "[1]", '{"segments": [1], "events": [1]}'])
def test_json_of_another_shape_is_refused(corpus: TinyCorpus, kind: str, content: str) -> None:
    corpus.add()
    corpus.write_json(kind, "train", "show_1", {}).write_text(content)
    (problem,) = problems(corpus)
    assert problem.startswith(f"train/show_1: metadata/episode_{kind}/train/show_1.json: ")


def test_json_without_a_key_is_refused_with_its_place(corpus: TinyCorpus) -> None:
    corpus.add()
    segments = [{"start": 0, "end": 1, "speaker_id": "A"}, {"start": 1, "end": 2}]
    corpus.write_json("diarizations", "train", "show_1", {"segments": segments})
    assert "segments[1] has no `speaker_id`" in problems(corpus)[0]


def test_unknown_speaker_in_the_mapping_is_refused(corpus: TinyCorpus) -> None:
    corpus.add(mapping=[("Laughter", 2.32, 3.0, "Z")])
    assert "names Z, the episode has A, B" in problems(corpus)[0]


@pytest.mark.parametrize("speaker", ["../A", "A/B", ".A", "A\\B"])
def test_speakers_that_are_no_part_of_a_path_are_refused(corpus: TinyCorpus, speaker: str) -> None:
    corpus.add(turns=[(0.0, 4.0, speaker)])
    assert repr(speaker) in problems(corpus)[0]


@pytest.mark.parametrize("name", [".show", "a\\b"])
def test_episodes_that_are_no_part_of_a_path_are_refused(corpus: TinyCorpus, name: str) -> None:
    corpus.add(name=name)
    assert repr(name) in problems(corpus)[0]


def test_tracks_of_strangers_are_refused(corpus: TinyCorpus) -> None:
    corpus.add(tracks=["host", "guest"])
    assert "has tracks of guest, host, the diarization turns of A, B" in problems(corpus)[0]


def test_a_track_of_another_length_is_a_warning(corpus: TinyCorpus) -> None:
    corpus.add(tracks=["A", "B"])
    corpus.write_audio(corpus.root / "audio/episode_wav_dial/train/show_1/A.wav", noise(3.0))
    assert "the track lasts 3.000 s, the mix 4.000 s" in warnings(corpus)[0]


def test_turns_that_last_no_time_are_nobodys(corpus: TinyCorpus) -> None:
    episode = read(corpus.add(turns=[(1.0, 1.0, "A")])).episode
    assert episode is not None
    assert episode.sources == ("mono",)


def test_broken_audio_is_refused(corpus: TinyCorpus) -> None:
    samples = noise(4.0)
    samples[2 * RATE_HZ] = np.nan
    corpus.add()
    corpus.write_audio(corpus.audio(), samples, subtype="FLOAT")
    assert "NaN or infinite sample at 2.000 s" in problems(corpus)[0]


def test_the_same_episode_in_two_splits_is_refused(corpus: TinyCorpus) -> None:
    corpus.add("train").add("test")
    index = find_corpus(corpus.root)
    readings = read_episodes(index, index.episodes)
    for reading in readings:
        (finding,) = reading.findings.problems
        assert "the same episode is in train and test" in finding.problem


def test_audio_that_another_split_has_under_another_name_is_a_warning(corpus: TinyCorpus) -> None:
    corpus.add("train", "a_1").add("train", "a_2", samples=noise(3.0)).add("test", "b_1")
    index = find_corpus(corpus.root)

    readings = read_episodes(index, index.episodes)

    found = {r.episode_id: [w.problem for w in r.findings.warnings] for r in readings}
    assert found["test/b_1"] == ["has the same audio as train/a_1"]
    assert found["train/a_1"] == found["train/a_2"] == []


def test_a_show_in_two_splits_is_one_warning(corpus: TinyCorpus) -> None:
    for number, split in enumerate(("train", "train", "test", "validation")):
        corpus.add(split, f"show_{number}", samples=noise(3.0 + number / 10))
    corpus.add("train", "other_1", samples=noise(2.5), events=[])
    index = find_corpus(corpus.root)

    readings = read_episodes(index, index.episodes)

    (warning,) = [w for reading in readings for w in reading.findings.warnings]
    assert "the show 'show' is in train and validation and test" in warning.problem


def test_several_problems_of_an_episode_are_all_named(corpus: TinyCorpus) -> None:
    corpus.add(events=[("Um", 2.0, 1.0)], turns=[(3.0, 2.0, "A")])
    corpus.write_json("transcripts", "train", "show_1", {"segments": json.loads("[1]")})
    assert len(problems(corpus)) == 3


@pytest.mark.parametrize("kind", ["annotation", "diarizations", "transcripts"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(corpus: TinyCorpus, kind: str) -> None:
    corpus.add()
    path = corpus.root / f"metadata/episode_{kind}/train/show_1.json"
    path = corpus.annotation() if kind == "annotation" else path
    path.unlink()
    os.mkfifo(path)
    (problem,) = problems(corpus)
    assert "is no file but a dangling link, a pipe or a device" in problem


@pytest.mark.parametrize("kind", ["dangling", "folder", "pipe"])
def test_audio_that_is_no_file_does_not_make_its_episode_disappear(
    corpus: TinyCorpus, kind: str
) -> None:
    corpus.add()
    path = corpus.audio()
    path.unlink()
    if kind == "dangling":
        path.symlink_to("nowhere")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    (problem,) = problems(corpus)
    assert problem.startswith("train/show_1: audio/episode_wav/train/show_1.wav: there is no such")


def test_a_good_file_of_another_format_is_taken_before_a_broken_link(corpus: TinyCorpus) -> None:
    corpus.add()
    corpus.audio().rename(corpus.audio().with_suffix(".flac"))
    corpus.audio().with_suffix(".flac").unlink()
    corpus.audio().symlink_to("nowhere")
    corpus.write_audio(corpus.root / "audio/episode_mp3/train/show_1.mp3", noise(4.0))
    assert problems(corpus) == []


def test_annotations_without_audio_are_a_warning(corpus: TinyCorpus) -> None:
    corpus.add().add(name="show_2")
    corpus.audio(name="show_2").unlink()
    (warning,) = find_corpus(corpus.root).warnings
    assert "1 annotation files have no audio, the first: 'show_2.csv'" in warning.problem


def test_an_open_quote_is_named_and_swallows_no_row(corpus: TinyCorpus) -> None:
    rows = [f"Um,Um,show_1,{onset},{onset + 0.1}" for onset in (0.5, 1.0, 1.5)]
    for text, message in (
        ([rows[0], '"Um' + rows[1][2:], rows[2]], "unexpected end of data"),
        ([rows[0], '"Um' + rows[1][2:], rows[2], 'Um",Um,show_1,2,2.1'], "line 3 opens a quote"),
    ):
        corpus.add()
        corpus.annotation().write_text("\n".join([",".join(COLUMNS), *text]))
        (problem,) = problems(corpus)
        assert message in problem


def test_bad_times_are_found_by_their_line(corpus: TinyCorpus) -> None:
    corpus.add(events=[("Um", 0.5, 0.7), ("Um", 2.0, 1.0)])
    (problem,) = problems(corpus)
    assert "line 3: 'Um' at 2.000 to 1.000 s has an end before its start" in problem


@pytest.mark.parametrize(
    ("kind", "document", "error"),
    [
        ("transcripts", {"segments": [{"nbest": [{"words": 5}]}]}, "no list `nbest`"),
        (
            "transcripts",
            {
                "segments": [
                    {"nbest": [{"words": [{"text": "\ud800", "offset": 1, "duration": 1}]}]}
                ]
            },
            "UnicodeEncodeError",
        ),
        (
            "diarizations",
            {"segments": [{"start": 0, "end": 1, "speaker_id": "\ud800"}]},
            "show_1.json: ",
        ),
    ],
)
def test_json_that_no_reader_has_foreseen_is_a_problem_of_its_file(
    corpus: TinyCorpus, kind: str, document: object, error: str
) -> None:
    corpus.add()
    corpus.write_json(kind, "train", "show_1", document)
    found = problems(corpus)
    assert found
    assert all(kind in problem for problem in found)
    assert error in found[0]


def test_events_without_a_label_and_audio_of_a_strange_rate_are_warnings(
    corpus: TinyCorpus,
) -> None:
    corpus.add(events=[("", 0.5, 0.7), ("Laughter", 2.0, 2.5)])
    sf.write(corpus.audio(), noise(4.0)[:80], 20)
    assert [text.split(": ")[2] for text in warnings(corpus)] == [
        "20 samples a second are too few for speech",
        "1 events have no label",
    ]
