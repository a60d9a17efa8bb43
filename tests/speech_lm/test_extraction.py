from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.errors import StoreError
from acoustic_event_prediction.frame_arrays import read_frame_array, read_header
from acoustic_event_prediction.frames import count_frames
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
)
from acoustic_event_prediction.speech_lm.extraction import extract_batch
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import pair_streams
from acoustic_event_prediction.speech_lm.words import Word
from tests.made import extraction_params
from tests.speech_lm.oracle import Oracle
from tests.speech_lm.test_features import voices

RATE = 24_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SealedPartitions]:
    store = SealedPartitions(
        path=str(tmp_path / "features"),
        dataset="acoustic_event_prediction.datasets.frame_array.FrameArrayDataset",
        filename_suffix=".safetensors",
    )
    yield store
    store.release()


def write_tracks(folder: Path, num_samples: int, seed: int) -> tuple[dict[str, Path], torch.Tensor]:
    """Write the two speakers' tracks as float WAV; return their paths and samples [2, N]."""
    waveforms = voices(num_samples, seed=seed)
    paths = {}
    for name, waveform in zip(("A", "B"), waveforms, strict=True):
        paths[name] = folder / f"{seed}_{name}.wav"
        sf.write(paths[name], waveform.numpy(), RATE, subtype="FLOAT")
    return paths, waveforms


def episode(
    name: str, tracks: dict[str, Path], num_samples: int, words: list[Word]
) -> EpisodeInput:
    return EpisodeInput(
        episode_id=f"train/{name}",
        num_frames=count_frames(num_samples, RATE),
        audio=EpisodeAudio(mix=None, tracks=tracks, turns={}, laughs=[]),
        assignments=[
            AssignmentInput(
                assignment_id=f"train/{name}/{user}",
                streams=pair_streams(user, [system], "none"),
                words=words,
                provenance={"episode": name, "user": user},
            )
            for user, system in (("A", "B"), ("B", "A"))
        ],
    )


def extract(
    episodes: list[EpisodeInput], lm: SpeechLM, store: SealedPartitions, **changes: object
) -> tuple[dict[str, str], int]:
    """Return the failures, and the frames that were reported."""
    failures: dict[str, str] = {}
    frames: list[int] = []
    listeners = Listeners(
        on_failure=lambda name, error: failures.update({name: str(error)}),
        on_frames=lambda _, num_frames: frames.append(num_frames),
    )
    values = {"chunk_frames": 16, "dtype": "float32"} | changes
    extract_batch(episodes, lm, extraction_params(**values), store, listeners)
    return failures, sum(frames)


def test_a_batch_of_episodes_gives_each_what_the_whole_model_gives(
    tmp_path: Path,
    short_context_lm: SpeechLM,
    short_context_checkpoint: Checkpoint,
    store: SealedPartitions,
) -> None:
    oracle = Oracle(short_context_checkpoint)
    lengths = {"long": 90 * 1920 - 5, "short": 33 * 1920 + 1, "tiny": 100}
    truth = {}
    episodes = []
    for seed, (name, num_samples) in enumerate(lengths.items()):
        tracks, waveforms = write_tracks(tmp_path, num_samples, seed)
        truth[name] = waveforms
        episodes.append(episode(name, tracks, num_samples, []))
    failures, frames = extract(episodes, short_context_lm, store)
    assert not failures
    assert frames == 2 * (90 + 34 + 1)
    for name, (first, second) in truth.items():
        for user, system in (("A", "B"), ("B", "A")):
            of = {"A": first, "B": second}
            expected = oracle.features(system=of[system], user=of[user])
            stored = read_frame_array(store.partition_path(f"train/{name}/{user}"))
            torch.testing.assert_close(
                torch.from_numpy(np.array(stored)), expected, rtol=1e-4, atol=1e-4
            )


def test_the_systems_words_reach_the_text_row(
    tmp_path: Path,
    short_context_lm: SpeechLM,
    short_context_checkpoint: Checkpoint,
    store: SealedPartitions,
) -> None:
    oracle = Oracle(short_context_checkpoint)
    tracks, (first, second) = write_tracks(tmp_path, 20 * 1920, seed=0)
    tokens = short_context_lm.tokenizer.encode("hello")
    extract([episode("x", tracks, 20 * 1920, [Word("hello", 0.4, 1.2)])], short_context_lm, store)
    text = torch.full((20,), oracle.lm.text_padding_token_id)
    text[4] = oracle.lm.end_of_text_padding_id
    text[5 : 5 + len(tokens)] = torch.tensor(tokens)
    expected = oracle.features(system=second, user=first, text=text)
    stored = read_frame_array(store.partition_path("train/x/A"))
    torch.testing.assert_close(torch.from_numpy(np.array(stored)), expected, rtol=1e-4, atol=1e-4)


def test_resets_order_and_words_give_the_reference_codes_features(
    tmp_path: Path,
    short_context_lm: SpeechLM,
    short_context_checkpoint: Checkpoint,
    store: SealedPartitions,
) -> None:
    # The reference: user before system, and every so many seconds the recording is cut and
    # each piece encoded as a file of its own, with the words that begin in it.
    oracle = Oracle(short_context_checkpoint)
    tracks, waveforms = write_tracks(tmp_path, 50 * 1920, seed=3)
    words = [Word("hello", 0.4, 1.2), Word("well", 1.92, 2.3)]
    extract(
        [episode("x", tracks, 50 * 1920, words)],
        short_context_lm,
        store,
        stream_order="reference",
        reset_every_seconds=1.6,
    )
    pieces = []
    for index, (user, system) in enumerate(
        zip(*(w.split(20 * 1920) for w in waveforms), strict=True)
    ):
        text = torch.full((len(user) // 1920,), oracle.lm.text_padding_token_id)
        for word in words:
            frame = round(word.onset * 12.5) - 20 * index
            if 0 <= frame < len(text):
                tokens = short_context_lm.tokenizer.encode(word.text)
                text[frame - 1] = oracle.lm.end_of_text_padding_id
                text[frame : frame + len(tokens)] = torch.tensor(tokens)
        codes = [text[None], oracle.codes(user), oracle.codes(system)]
        pieces.append(oracle.hidden(torch.cat(codes)))
    stored = read_frame_array(store.partition_path("train/x/A"))
    torch.testing.assert_close(
        torch.from_numpy(np.array(stored)), torch.cat(pieces), rtol=1e-4, atol=1e-4
    )


def test_an_episode_that_breaks_halfway_is_named_and_the_others_are_kept(
    tmp_path: Path, short_context_lm: SpeechLM, store: SealedPartitions
) -> None:
    good, _ = write_tracks(tmp_path, 40 * 1920, seed=0)
    bad, waveforms = write_tracks(tmp_path, 60 * 1920, seed=1)
    waveforms[0, 50 * 1920] = float("nan")
    sf.write(bad["A"], waveforms[0].numpy(), RATE, subtype="FLOAT")
    failures, _ = extract(
        [episode("bad", bad, 60 * 1920, []), episode("good", good, 40 * 1920, [])],
        short_context_lm,
        store,
    )
    assert list(failures) == ["train/bad"]
    assert "4.000 s" in failures["train/bad"]
    found = {
        path.relative_to(store.path).as_posix() for path in store.path.rglob("*") if path.is_file()
    }
    assert found == {"train/good/A.safetensors", "train/good/B.safetensors"}


def test_an_episode_whose_file_is_gone_is_named(
    tmp_path: Path, short_context_lm: SpeechLM, store: SealedPartitions
) -> None:
    tracks, _ = write_tracks(tmp_path, 1920, seed=0)
    tracks["A"].unlink()
    failures, frames = extract([episode("x", tracks, 1920, [])], short_context_lm, store)
    assert "no such file" in failures["train/x"]
    assert frames == 0


def test_a_full_disk_stops_everything_and_leaves_nothing_half_written(
    tmp_path: Path, short_context_lm: SpeechLM, store: SealedPartitions, monkeypatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("acoustic_event_prediction.frame_arrays.FrameArrayWriter.append", fail)
    tracks, _ = write_tracks(tmp_path, 1920, seed=0)
    with pytest.raises(StoreError, match="No space left"):
        extract([episode("x", tracks, 1920, [])], short_context_lm, store)
    assert not [path for path in store.path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_features_are_stored_rounded_to_the_wished_dtype(
    tmp_path: Path, short_context_lm: SpeechLM, store: SealedPartitions, dtype: str
) -> None:
    tracks, _ = write_tracks(tmp_path, 10 * 1920, seed=0)
    inputs = [episode("x", tracks, 10 * 1920, [])]
    extract(inputs, short_context_lm, store)
    exact = np.array(read_frame_array(store.partition_path("train/x/A")))
    extract(inputs, short_context_lm, store, dtype=dtype)
    path = store.partition_path("train/x/A")
    assert str(read_header(path).dtype) == dtype
    assert np.array_equal(read_frame_array(path), exact.astype(read_header(path).dtype))
    assert read_header(path).provenance == {"episode": "x", "user": "A"}


def test_silent_systems_of_a_batch_are_encoded_once(
    tmp_path: Path,
    short_context_lm: SpeechLM,
    short_context_checkpoint: Checkpoint,
    store: SealedPartitions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    oracle = Oracle(short_context_checkpoint)
    mixes = {"long": voices(60 * 1920, seed=1)[0], "short": voices(21 * 1920, seed=2)[0]}
    episodes = []
    for name, mix in mixes.items():
        path = tmp_path / f"{name}.wav"
        sf.write(path, mix.numpy(), RATE, subtype="FLOAT")
        episodes.append(
            EpisodeInput(
                episode_id=f"train/{name}",
                num_frames=count_frames(len(mix), RATE),
                audio=EpisodeAudio(mix=path, tracks={}, turns={}, laughs=[]),
                assignments=[
                    AssignmentInput(f"train/{name}/mix", pair_streams("mix", [], "none"), [], {})
                ],
            )
        )
    encode, batch_sizes = short_context_lm.mimi.encode, set()

    def counting(waveforms: torch.Tensor) -> torch.Tensor:
        batch_sizes.add(len(waveforms))
        return encode(waveforms)

    monkeypatch.setattr(short_context_lm.mimi, "encode", counting)
    failures, _ = extract(episodes, short_context_lm, store)
    assert not failures
    assert batch_sizes == {3}  # two mixes and one silence
    for name, mix in mixes.items():
        stored = np.array(read_frame_array(store.partition_path(f"train/{name}/mix")))
        expected = oracle.features(system=torch.zeros_like(mix), user=mix)
        torch.testing.assert_close(torch.from_numpy(stored), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("attempt", range(8))
def test_a_partition_that_cannot_take_its_place_is_an_error_even_in_the_last_block(
    tmp_path: Path, short_context_lm: SpeechLM, store: SealedPartitions, attempt: int
) -> None:
    tracks, _ = write_tracks(tmp_path, 20 * 1920, seed=attempt)
    store.partition_path("train/x/A").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"'train/x/A' can't be written"):
        extract([episode("x", tracks, 20 * 1920, [])], short_context_lm, store, chunk_frames=256)


@pytest.mark.parametrize("chunk_frames", [4, 256])
def test_features_that_are_no_numbers_are_not_stored(
    tmp_path: Path,
    short_context_lm: SpeechLM,
    store: SealedPartitions,
    monkeypatch: pytest.MonkeyPatch,
    chunk_frames: int,
) -> None:
    # float16 ends at 65504; frame 3 has more. In short blocks the next ones are being read then.
    tracks, _ = write_tracks(tmp_path, 20 * 1920, seed=0)
    forward = short_context_lm.temporal.forward

    def overflowing(sequence: torch.Tensor) -> torch.Tensor:
        hidden = forward(sequence)
        hidden[:, 3] = 1e5
        return hidden

    monkeypatch.setattr(short_context_lm.temporal, "forward", overflowing)
    inputs = [episode("x", tracks, 20 * 1920, [])]
    settings = {"chunk_frames": chunk_frames}
    failures, _ = extract(inputs, short_context_lm, store, dtype="float16", **settings)
    assert "NaN or infinite from frame 3 on" in failures["train/x"]
    assert not [path for path in store.path.rglob("*") if path.is_file()]
    assert not extract(inputs, short_context_lm, store, dtype="bfloat16", **settings)[0]
