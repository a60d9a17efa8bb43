from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from acoustic_event_prediction.baselines.extraction import (
    BaselineMaker,
    assignments_per_batch,
    extract_baselines,
)
from acoustic_event_prediction.baselines.kinds import KINDS, feature_dim
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.errors import DeviceError
from acoustic_event_prediction.frame_arrays import read_frame_array, read_header
from acoustic_event_prediction.frames import count_frames
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from acoustic_event_prediction.speech_lm.episode_input import (
    AssignmentInput,
    EpisodeInput,
    Listeners,
)
from acoustic_event_prediction.speech_lm.features import BlockPlan
from acoustic_event_prediction.speech_lm.sources import EpisodeAudio
from acoustic_event_prediction.speech_lm.streams import pair_streams
from tests.baselines.test_stream import features
from tests.made import extraction_params
from tests.speech_lm.test_extraction import write_tracks
from tests.speech_lm.test_features import voices

CPU = torch.device("cpu")
Stores = dict[str, SealedPartitions]


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    made = {
        kind: SealedPartitions(
            path=str(tmp_path / kind / "features"),
            dataset="acoustic_event_prediction.datasets.frame_array.FrameArrayDataset",
            filename_suffix=".safetensors",
        )
        for kind in KINDS
    }
    yield made
    for store in made.values():
        store.release()


def episode(
    name: str,
    audio: EpisodeAudio,
    num_samples: int,
    pairs: list[tuple[str, list[str]]],
    kinds=KINDS,
) -> EpisodeInput:
    return EpisodeInput(
        episode_id=f"train/{name}",
        num_frames=count_frames(num_samples, 24_000),
        audio=audio,
        assignments=[
            AssignmentInput(
                assignment_id=f"train/{name}/{user}",
                streams=pair_streams(user, systems, "none"),
                words=[],
                provenance={kind: {"kind": kind, "user": user} for kind in kinds},
            )
            for user, systems in pairs
        ],
    )


def of_tracks(name: str, tracks: dict[str, Path], num_samples: int, kinds=KINDS) -> EpisodeInput:
    audio = EpisodeAudio(mix=None, tracks=tracks, turns={}, laughs=[])
    return episode(name, audio, num_samples, [("A", ["B"]), ("B", ["A"])], kinds)


def extract(
    episodes: list[EpisodeInput], lm: SpeechLM, stores: Stores, **changes: object
) -> dict[str, str]:
    """Return the failures."""
    failures: dict[str, str] = {}
    listeners = Listeners(
        on_failure=lambda name, error: failures.update({name: str(error)}),
        on_frames=lambda *_: None,
    )
    settings = extraction_params(**{"chunk_frames": 16, "dtype": "float32"} | changes)
    extract_baselines(episodes, BaselineMaker(CPU, lm.mimi), settings, stores, listeners)
    return failures


def stored(store: SealedPartitions, name: str) -> torch.Tensor:
    return torch.from_numpy(np.array(read_frame_array(store.partition_path(name))))


def files(stores: Stores) -> set[str]:
    return {
        f"{kind}:{path.relative_to(store.path).as_posix()}"
        for kind, store in stores.items()
        for path in store.path.rglob("*")
        if path.is_file()
    }


def test_one_pass_writes_every_kind_of_every_assignment(
    tmp_path: Path, short_context_lm: SpeechLM, stores: Stores
) -> None:
    lengths = {"long": 50 * 1920, "short": 20 * 1920}
    episodes, truth = [], {}
    for seed, (name, num_samples) in enumerate(lengths.items()):
        tracks, truth[name] = write_tracks(tmp_path, num_samples, seed)
        episodes.append(of_tracks(name, tracks, num_samples))
    assert not extract(episodes, short_context_lm, stores)
    for name, waveforms in truth.items():
        for user, order in (("A", [1, 0]), ("B", [0, 1])):
            expected = features(waveforms[order], short_context_lm)
            for kind in KINDS:
                found = stored(stores[kind], f"train/{name}/{user}")
                torch.testing.assert_close(found, expected[kind], rtol=1e-4, atol=1e-4)
                header = read_header(stores[kind].partition_path(f"train/{name}/{user}"))
                assert header.provenance == {"kind": kind, "user": user}


def test_only_the_wanted_kinds_are_written(
    tmp_path: Path, short_context_lm: SpeechLM, stores: Stores
) -> None:
    tracks, waveforms = write_tracks(tmp_path, 10 * 1920, seed=0)
    episodes = [
        of_tracks("x", tracks, 10 * 1920, ["log_mel_8"]),
        of_tracks("y", tracks, 10 * 1920, ["energy"]),
    ]
    assert not extract(episodes, short_context_lm, stores)
    assert files(stores) == {
        f"{kind}:train/{name}/{user}.safetensors"
        for kind, name in (("log_mel_8", "x"), ("energy", "y"))
        for user in ("A", "B")
    }
    expected = features(waveforms, short_context_lm)["log_mel_8"]
    torch.testing.assert_close(stored(stores["log_mel_8"], "train/x/B"), expected)


def test_in_mono_the_system_is_silent(
    tmp_path: Path, short_context_lm: SpeechLM, stores: Stores
) -> None:
    mix = voices(25 * 1920, seed=1)[0]
    path = tmp_path / "mix.wav"
    sf.write(path, mix.numpy(), 24_000, subtype="FLOAT")
    audio = EpisodeAudio(mix=path, tracks={}, turns={}, laughs=[])
    assert not extract([episode("x", audio, len(mix), [("mix", [])])], short_context_lm, stores)
    expected = features(torch.stack([torch.zeros_like(mix), mix]), short_context_lm)
    for kind in KINDS:
        found = stored(stores[kind], "train/x/mix")
        torch.testing.assert_close(found, expected[kind], rtol=1e-4, atol=1e-4)
    assert (stored(stores["energy"], "train/x/mix")[:, :2] == -100).all()


def test_an_episode_that_breaks_halfway_leaves_no_kind_and_the_others_are_kept(
    tmp_path: Path, short_context_lm: SpeechLM, stores: Stores
) -> None:
    good, _ = write_tracks(tmp_path, 20 * 1920, seed=0)
    bad, waveforms = write_tracks(tmp_path, 30 * 1920, seed=1)
    waveforms[0, 25 * 1920] = float("nan")
    sf.write(bad["A"], waveforms[0].numpy(), 24_000, subtype="FLOAT")
    gone = {name: tmp_path / "none" / name for name in ("A", "B")}
    failures = extract(
        [
            of_tracks("bad", bad, 30 * 1920),
            of_tracks("good", good, 20 * 1920),
            of_tracks("gone", gone, 1920),
        ],
        short_context_lm,
        stores,
    )
    assert failures.keys() == {"train/bad", "train/gone"}
    assert files(stores) == {
        f"{kind}:train/good/{user}.safetensors" for kind in KINDS for user in ("A", "B")
    }


def test_rows_are_stored_in_the_wished_dtype(
    tmp_path: Path, short_context_lm: SpeechLM, stores: Stores
) -> None:
    tracks, waveforms = write_tracks(tmp_path, 10 * 1920, seed=0)
    extract([of_tracks("x", tracks, 10 * 1920)], short_context_lm, stores, dtype="float16")
    for kind, expected in features(waveforms[[1, 0]], short_context_lm).items():
        header = read_header(stores[kind].partition_path("train/x/A"))
        assert header.dtype == np.float16
        assert header.shape == (10, feature_dim(kind, 64))
        found = stored(stores[kind], "train/x/A").float()
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_batch_fills_a_pass_unless_memory_is_short(short_context_lm: SpeechLM) -> None:
    plan = BlockPlan(10_000, 256, None)
    with_mimi, without = BaselineMaker(CPU, short_context_lm.mimi), BaselineMaker(CPU, None)
    assert assignments_per_batch(with_mimi, plan, 10**11) == 2048 // 256
    # Two streams, 8 copies of 256 * 1920 float32: 31.5 MB, of half of the free memory.
    assert assignments_per_batch(without, plan, 4 * 31_457_280) == 2
    assert assignments_per_batch(with_mimi, plan, 4 * 31_457_280) == 1
    with pytest.raises(DeviceError, match=r"lower feature_extraction\.chunk_frames"):
        assignments_per_batch(without, plan, 2 * 31_457_280 - 1)
