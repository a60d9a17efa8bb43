"""The embedded sample: that it can be made again, and that the committed one is sound."""

import json
import os
import unicodedata
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
import torch

os.environ.setdefault("NO_TORCH_COMPILE", "1")

from moshi.models.loaders import CheckpointInfo

from acoustic_event_prediction.sample.annotations import COLUMNS, speaker_id
from acoustic_event_prediction.sample.checkpoint import write_checkpoint
from acoustic_event_prediction.sample.corpus import (
    generate_conversation,
    plan_episodes,
    write_corpus,
)
from acoustic_event_prediction.sample.truth import Conversation
from acoustic_event_prediction.sample.voices import SAMPLE_RATE_HZ, VOICES

NUM_EPISODES = {"train": 2, "validation": 1, "test": 1}
SECONDS = 16.0
TICKS_PER_SECOND = 10_000_000
HALF_MILLISECOND = 0.0005
COMMITTED = Path(__file__).parents[2] / "data" / "01_raw" / "sample"
SPLITS = ("train", "validation", "test")
MIN_EPISODES = 20
MIN_THREE_SPEAKER_EPISODES = 3
RARE_SHARE = 0.2
MAX_AUDIO_BYTES = 6_000_000
MAX_CHECKPOINT_BYTES = 5_000_000
FIRST_TRAIN = plan_episodes({"train": 1})[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of four short episodes with a checkpoint that is hardly fitted."""
    pytest.importorskip("espeakng_loader", reason="dependency group `sample` is not installed")
    root = tmp_path_factory.mktemp("sample")
    training = write_corpus(root, NUM_EPISODES, seed=5, seconds=SECONDS)
    write_checkpoint(
        root / "checkpoint",
        [conversation.mix for conversation in training.values()],
        [sentence for conversation in training.values() for sentence in conversation.sentences],
        num_steps=3,
        seed=5,
    )
    return root


@pytest.fixture(scope="module")
def first_conversation() -> Conversation:
    pytest.importorskip("espeakng_loader", reason="dependency group `sample` is not installed")
    return generate_conversation(FIRST_TRAIN, seed=5, seconds=SECONDS)


def _corpus(kind: str, request: pytest.FixtureRequest) -> Path:
    return COMMITTED if kind == "committed" else request.getfixturevalue("small")


def _read(root: Path, folder: str, mp3: Path) -> dict[str, Any]:
    path = root / "metadata" / folder / mp3.parent.name / f"{mp3.stem}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _recordings(root: Path) -> list[Path]:
    return sorted((root / "audio" / "episode_mp3").rglob("*.mp3"))


def _laughs(root: Path) -> pd.DataFrame:
    table = pd.read_csv(root / "metadata" / "PodcastFillers.csv")
    return table[table["label_consolidated_vocab"] == "Laughter"]


@pytest.mark.parametrize("kind", ["small", "committed"])
class TestFilesAgree:
    """The files of an episode describe the same conversation."""

    def test_every_recording_has_its_metadata(
        self, kind: str, request: pytest.FixtureRequest
    ) -> None:
        root = _corpus(kind, request)
        whole = pd.read_csv(root / "metadata" / "PodcastFillers.csv")
        assert tuple(whole.columns) == COLUMNS
        parts = []
        for mp3 in _recordings(root):
            folder = root / "metadata" / "episode_annotations" / mp3.parent.name
            parts.append(pd.read_csv(folder / f"{mp3.stem}.csv"))
            assert set(parts[-1]["podcast_filename"]) <= {mp3.stem}
            assert set(parts[-1]["episode_split_subset"]) <= {mp3.parent.name}
        merged = pd.concat(parts).sort_values("pfID").reset_index(drop=True)
        pd.testing.assert_frame_equal(merged, whole)

    def test_every_event_of_the_table_has_a_speaker(
        self, kind: str, request: pytest.FixtureRequest
    ) -> None:
        root = _corpus(kind, request)
        whole = pd.read_csv(root / "metadata" / "PodcastFillers.csv")
        for mp3 in _recordings(root):
            rows = whole[whole["podcast_filename"] == mp3.stem]
            events = _read(root, "episode_event_speaker_mapping", mp3)["events"]
            speakers = _read(root, "episode_diarizations", mp3)["speaker_statistics"]
            assert {event["speaker_id"] for event in events} <= set(speakers)
            mapped = [(e["label_consolidated_vocab"], e["event_start_inepisode"]) for e in events]
            listed = zip(
                rows["label_consolidated_vocab"], rows["event_start_inepisode"], strict=True
            )
            assert mapped == list(listed)

    def test_a_turn_of_the_laugher_covers_the_time_before_the_laugh(
        self, kind: str, request: pytest.FixtureRequest
    ) -> None:
        root = _corpus(kind, request)
        for mp3 in _recordings(root):
            turns = _read(root, "episode_diarizations", mp3)["segments"]
            for event in _read(root, "episode_event_speaker_mapping", mp3)["events"]:
                is_laugh = event["label_consolidated_vocab"] == "Laughter"
                lead = 0.3 if is_laugh else 0.0  # an in-breath starts 0.3 to 0.6 s before a laugh
                assert any(
                    turn["speaker_id"] == event["speaker_id"]
                    and turn["start"] <= event["event_start_inepisode"] - lead + HALF_MILLISECOND
                    and turn["end"] >= event["event_end_inepisode"] - HALF_MILLISECOND
                    for turn in turns
                ), (mp3.name, event)

    def test_everything_lies_within_the_recording(
        self, kind: str, request: pytest.FixtureRequest
    ) -> None:
        root = _corpus(kind, request)
        for mp3 in _recordings(root):
            seconds = sf.info(mp3).frames / SAMPLE_RATE_HZ
            for turn in _read(root, "episode_diarizations", mp3)["segments"]:
                assert 0 <= turn["start"] < turn["end"] <= seconds + HALF_MILLISECOND
            for event in _read(root, "episode_event_speaker_mapping", mp3)["events"]:
                assert 0 < event["event_start_inepisode"] < event["event_end_inepisode"] < seconds
            for segment in _read(root, "episode_transcripts", mp3)["segments"]:
                for word in segment["nbest"][0]["words"]:
                    assert word["offset"] >= 0
                    assert word["duration"] > 0
                    assert word["offset"] + word["duration"] <= seconds * TICKS_PER_SECOND

    def test_separated_tracks_are_as_long_as_the_recording(
        self, kind: str, request: pytest.FixtureRequest
    ) -> None:
        root = _corpus(kind, request)
        folders = sorted((root / "audio" / "episode_wav_dial").glob("*/*"))
        assert {folder.parent.name for folder in folders} == set(SPLITS)
        for folder in folders:
            mp3 = root / "audio" / "episode_mp3" / folder.parent.name / f"{folder.name}.mp3"
            speakers = _read(root, "episode_diarizations", mp3)["speaker_statistics"]
            assert sorted(path.stem for path in folder.iterdir()) == sorted(speakers)
            assert {sf.info(path).frames for path in folder.iterdir()} == {sf.info(mp3).frames}


def test_an_mp3_comes_back_without_delay(small: Path, first_conversation: Conversation) -> None:
    path = small / "audio" / "episode_mp3" / "train" / f"{FIRST_TRAIN.episode_id}.mp3"
    decoded, sample_rate_hz = sf.read(path, dtype="float32")
    source = first_conversation.mix
    assert sample_rate_hz == SAMPLE_RATE_HZ
    assert len(decoded) == len(source) == round(first_conversation.seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(decoded) * np.conj(np.fft.rfft(source))
    assert np.fft.irfft(spectrum).argmax() == 0


def test_the_same_seed_gives_the_same_conversation(first_conversation: Conversation) -> None:
    again = generate_conversation(FIRST_TRAIN, seed=5, seconds=SECONDS)
    assert np.array_equal(again.tracks, first_conversation.tracks)
    assert again.events == first_conversation.events
    assert again.words == first_conversation.words
    assert again.turns == first_conversation.turns


def test_another_seed_gives_another_conversation(first_conversation: Conversation) -> None:
    other = generate_conversation(FIRST_TRAIN, seed=6, seconds=SECONDS)
    assert other.events != first_conversation.events


def test_a_conversation_needs_ten_seconds() -> None:
    with pytest.raises(ValueError, match="needs 10 s"):
        generate_conversation(FIRST_TRAIN, seed=5, seconds=2.0)


def test_no_voice_is_in_two_splits() -> None:
    for one, other in combinations(SPLITS, 2):
        assert {v.name for v in VOICES[one]}.isdisjoint(v.name for v in VOICES[other])
        assert {v.pitch for v in VOICES[one]}.isdisjoint(v.pitch for v in VOICES[other])


@pytest.mark.parametrize("kind", ["small", "committed"])
def test_the_checkpoint_loads_as_a_released_one_does(
    kind: str, request: pytest.FixtureRequest
) -> None:
    folder = _corpus(kind, request) / "checkpoint"
    checkpoint = CheckpointInfo.from_hf_repo(
        "local",
        moshi_weights=folder / "model.safetensors",
        mimi_weights=folder / "mimi.safetensors",
        tokenizer=folder / "tokenizer.model",
        config_path=folder / "config.json",
        mimi_config_path=folder / "mimi_config.json",
    )
    mimi, lm = checkpoint.get_mimi(), checkpoint.get_moshi(dtype=torch.float32)
    tokenizer = checkpoint.get_text_tokenizer()
    frames = 6
    audio = torch.from_numpy(
        np.random.default_rng(0).normal(0, 0.1, (1, 1, frames * mimi.frame_size)).astype("float32")
    )
    with torch.no_grad():
        codes = mimi.encode(audio)
        text = torch.full((1, 1, frames), lm.text_padding_token_id)
        hidden, _ = lm.forward_text(torch.cat([text, codes, codes], 1))
    assert codes.shape == (1, 8, frames)
    assert 0 <= codes.min()
    assert codes.max() < lm.card
    assert hidden.shape == (1, frames, lm.dim)
    assert torch.isfinite(hidden.half()).all()
    assert lm.delays == [0, *2 * (0, 1, 1, 1, 1, 1, 1, 1)]
    assert lm.text_card == tokenizer.vocab_size()
    assert tokenizer.decode(tokenizer.encode("Zoë ☕")) == "Zoë ☕"  # by bytes


def test_the_committed_corpus_has_the_variety_that_the_pipelines_need() -> None:
    recordings = _recordings(COMMITTED)
    names = [path.stem for path in recordings]
    assert len(recordings) >= MIN_EPISODES
    assert any(" " in name for name in names)
    assert any("," in name for name in names)
    assert any("'" in name for name in names)
    assert any(not name.isascii() for name in names)
    assert all(name == unicodedata.normalize("NFC", name) for name in names)
    statistics = [_read(COMMITTED, "episode_diarizations", mp3) for mp3 in recordings]
    three = [entry for entry in statistics if speaker_id(2) in entry["speaker_statistics"]]
    assert len(three) >= MIN_THREE_SPEAKER_EPISODES
    shares = [s["speaking_ratio"] for e in three for s in e["speaker_statistics"].values()]
    assert min(shares) < RARE_SHARE


def test_no_show_is_in_two_splits() -> None:
    shows = {
        split: {path.stem.split("_")[0] for path in _recordings(COMMITTED) if split in path.parts}
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        assert shows[one]
        assert shows[one].isdisjoint(shows[other])


def test_every_committed_episode_has_laughs() -> None:
    laughs = _laughs(COMMITTED)
    assert set(laughs["podcast_filename"]) == {path.stem for path in _recordings(COMMITTED)}
    assert set(laughs["episode_split_subset"]) == set(SPLITS)


def test_the_committed_files_are_small() -> None:
    audio = sum(path.stat().st_size for path in (COMMITTED / "audio").rglob("*.mp3"))
    checkpoint = sum(path.stat().st_size for path in (COMMITTED / "checkpoint").iterdir())
    assert audio <= MAX_AUDIO_BYTES
    assert checkpoint <= MAX_CHECKPOINT_BYTES
