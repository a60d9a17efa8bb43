import unicodedata
from pathlib import Path

import pytest

from acoustic_event_prediction.corpus.layouts.podcastfillers import find_corpus
from acoustic_event_prediction.corpus.raw import RawEpisode, loose_key, match_names, name_problem
from acoustic_event_prediction.errors import CorpusError
from tests.corpus.tiny import TinyCorpus, noise


@pytest.fixture
def corpus(tmp_path: Path) -> TinyCorpus:
    return TinyCorpus(tmp_path)


def only(corpus: TinyCorpus) -> RawEpisode:
    (episode,) = find_corpus(corpus.root).episodes
    return episode


def test_all_files_of_an_episode_are_found(corpus: TinyCorpus) -> None:
    corpus.add(tracks=["B", "A"], mapping=[])
    episode = only(corpus)
    assert list(episode.tracks) == ["A", "B"]
    for path in (episode.annotation, episode.transcript, episode.diarization, episode.mapping):
        assert path is not None
        assert path.is_file()


def test_what_is_not_there_is_none(corpus: TinyCorpus) -> None:
    corpus.add(events=None, turns=None, words=None)
    episode = only(corpus)
    assert episode.annotation is episode.transcript is episode.diarization is None
    assert episode.tracks == {}


def test_the_wav_is_preferred_to_the_mp3(corpus: TinyCorpus) -> None:
    corpus.add()
    mp3 = corpus.root / "audio/episode_mp3/train/show_1.mp3"
    corpus.write_audio(mp3, noise(1.0))
    assert only(corpus).audio == corpus.audio()
    corpus.audio().unlink()
    assert only(corpus).audio == mp3


def test_dots_and_punctuation_in_names_are_kept(corpus: TinyCorpus) -> None:
    name = "Bob's Show, Live!_Ep. #3 [it's back]"
    corpus.add(name=name)
    episode = only(corpus)
    assert episode.name == name
    assert episode.annotation == corpus.annotation(name=name)


def test_composed_and_decomposed_names_are_one(corpus: TinyCorpus) -> None:
    composed = "Caf\u00e9_1"
    corpus.add(name=composed)
    annotation = corpus.annotation(name=composed)
    annotation.rename(annotation.with_stem(unicodedata.normalize("NFD", composed)))
    corpus.audio(name=composed).rename(
        corpus.audio(name=composed).with_stem(unicodedata.normalize("NFD", composed))
    )
    episode = only(corpus)
    assert episode.name == composed
    assert episode.annotation is not None


def test_a_file_name_that_differs_in_punctuation_only_is_found(corpus: TinyCorpus) -> None:
    corpus.add(name="Don't Ask, Ep. 3")
    annotation = corpus.annotation(name="Don't Ask, Ep. 3")
    annotation.rename(annotation.with_stem("dont_ask_ep_3"))
    assert only(corpus).annotation == annotation.with_stem("dont_ask_ep_3")


def test_of_two_alike_names_neither_is_guessed(corpus: TinyCorpus) -> None:
    corpus.add(name="Don't Ask", events=None)
    corpus.write_csv(corpus.annotation(name="dont_ask"), [])
    corpus.write_csv(corpus.annotation(name="Dont-Ask"), [])
    assert only(corpus).annotation is None


def test_a_file_with_another_episodes_exact_name_is_not_lent(corpus: TinyCorpus) -> None:
    corpus.add(name="show_1")
    corpus.add(name="show-1", events=None, turns=None, words=None)
    lender, borrower = sorted(find_corpus(corpus.root).episodes, key=lambda e: e.name == "show-1")
    assert lender.annotation == corpus.annotation(name="show_1")
    assert borrower.annotation is borrower.transcript is borrower.diarization is None


def test_resource_forks_of_a_mac_are_no_episodes(corpus: TinyCorpus) -> None:
    corpus.add()
    corpus.audio().with_name("._show_1.wav").write_bytes(b"\0")
    only(corpus)


@pytest.mark.parametrize("subfolder", ["nowhere", "."])
def test_no_corpus_is_an_error_that_explains_the_layout(tmp_path: Path, subfolder: str) -> None:
    with pytest.raises(CorpusError, match=r"episode_annotations(?s:.*)--params dataset_root="):
        find_corpus(tmp_path / subfolder)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "../up", "a/b", "a\\b", "a\0b", "x" * 241, "\udcff"]
)
def test_names_that_are_no_part_of_a_path_are_told(name: str) -> None:
    assert name_problem(name) is not None


def test_ordinary_podcast_names_are_fine() -> None:
    assert (
        name_problem("Zo\u00eb's Long Weekend #3 [part 1] \u2013 it's \u201cback\u201d!?") is None
    )


def test_names_without_letters_have_no_loose_key() -> None:
    assert loose_key("?!") == ""


def test_a_name_that_fits_two_is_nobodys() -> None:
    assert match_names(["a-1"], ["a 1", "a_1"]) == {}
    assert match_names(["a-1", "a_1"], ["a 1"]) == {}
    # An exact name leaves no doubt, but what is alike to two is still not guessed.
    assert match_names(["a 1", "a-1"], ["a 1", "a_1"]) == {"a 1": "a 1"}
    assert match_names(["!!!"], ["..."]) == {}
