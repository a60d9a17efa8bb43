import base64
import io
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from acoustic_event_prediction.audio_spans import Recording
from acoustic_event_prediction.datasets.raw_corpus import RecordingIndex
from acoustic_event_prediction.datasets.sealed import SealedPartitions
from acoustic_event_prediction.report import snippets
from acoustic_event_prediction.report.snippets import Snippet, SnippetRequest, make_snippets

RATE_HZ = 24_000

EPISODES = SealedPartitions(path="nowhere", dataset="json.JSONDataset", filename_suffix=".json")


@pytest.fixture
def recordings(tmp_path: Path) -> dict[str, Recording]:
    """Two episodes of 12 s: a chirp from 200 to 1400 Hz, in one of them backwards."""
    time = np.arange(12 * RATE_HZ) / RATE_HZ
    chirp = 0.5 * np.sin(2 * np.pi * (200 * time + 50 * time**2))
    sf.write(tmp_path / "a.wav", chirp, RATE_HZ)
    sf.write(tmp_path / "b.wav", chirp[::-1], RATE_HZ)
    return {f"test/{name}": Recording(tmp_path / f"{name}.wav") for name in "ab"}


def decode(snippet: Snippet) -> np.ndarray:
    assert snippet.uri is not None
    head, _, data = snippet.uri.partition(",")
    assert head in {"data:audio/mpeg;base64", "data:audio/ogg;base64"}
    samples, rate_hz = sf.read(io.BytesIO(base64.b64decode(data)))
    assert rate_hz == RATE_HZ
    return np.asarray(samples)


def lag(found: np.ndarray, expected: np.ndarray) -> int:
    """Samples by which `found` is late."""
    size = min(len(found), len(expected))
    spectrum = np.fft.rfft(found[:size], 2 * size) * np.fft.rfft(expected[:size], 2 * size).conj()
    peak = int(np.argmax(np.fft.irfft(spectrum)))
    return peak if peak < size else peak - 2 * size


def test_sound_is_that_of_its_episode_and_time(recordings: dict[str, Recording]) -> None:
    requests = [SnippetRequest("test/b", 5.0, 8.0), SnippetRequest("test/a", 2.0, 5.0)]

    made = make_snippets(requests, recordings, 10.0)

    for request, snippet in zip(requests, made, strict=True):
        (expected,) = recordings[request.episode_id].read_spans(
            [(request.start, request.end)], RATE_HZ
        )
        found = decode(snippet)
        assert abs(len(found) - len(expected)) <= 0.05 * RATE_HZ
        assert abs(lag(found, expected)) <= 0.002 * RATE_HZ
        size = min(len(found), len(expected))
        assert np.corrcoef(found[:size], expected[:size])[0, 1] > 0.95


def test_without_mp3_it_is_ogg(
    recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    check = sf.check_format
    monkeypatch.setattr(sf, "check_format", lambda kind, sub: kind != "MP3" and check(kind, sub))
    (made,) = make_snippets([SnippetRequest("test/a", 0.0, 1.0)], recordings, 10.0)
    assert made.uri is not None
    assert made.uri.startswith("data:audio/ogg")
    assert len(decode(made)) == RATE_HZ


def test_the_first_that_fit_have_sound(
    recordings: dict[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snippets, "encode", lambda samples, rate_hz: "x" * 400_000)
    requests = [SnippetRequest(f"test/{name}", t, t + 1) for t in (0, 2) for name in "ab"]

    made = make_snippets(requests, recordings, 0.8)

    assert [snippet.uri is not None for snippet in made] == [True, True, False, False]
    assert made[2].missing is not None
    assert "max_megabytes" in made[2].missing


def test_no_megabytes_need_no_corpus() -> None:
    gone = RecordingIndex("nowhere", EPISODES)
    (made,) = make_snippets([SnippetRequest("test/a", 0.0, 1.0)], gone, 0.0)
    assert "max_megabytes" in str(made.missing)


def test_a_recording_that_is_gone_costs_its_own_sound_only(
    recordings: dict[str, Recording], caplog: pytest.LogCaptureFixture
) -> None:
    source = recordings["test/a"].source
    assert isinstance(source, Path)
    source.unlink()
    names = ("test/a", "test/b", "test/c")

    with caplog.at_level(logging.WARNING):
        made = make_snippets([SnippetRequest(n, 1.0, 2.0) for n in names], recordings, 10.0)

    assert [snippet.uri is not None for snippet in made] == [False, True, False]
    assert made[0].missing == "its recording can't be read"
    assert "test/a in the report" in caplog.text
    assert "test/c in the report" in caplog.text


def test_a_corpus_that_is_gone_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recordings = RecordingIndex(str(tmp_path / "nowhere"), EPISODES)

    with caplog.at_level(logging.WARNING):
        made = make_snippets(
            [SnippetRequest(f"test/{n}", 1.0, 2.0) for n in "abc"], recordings, 10.0
        )

    assert {snippet.missing for snippet in made} == {"its recording can't be read"}
    (message,) = caplog.messages
    assert "no sound of all episodes" in message


def test_a_moment_after_the_recording_has_no_sound(recordings: dict[str, Recording]) -> None:
    (made,) = make_snippets([SnippetRequest("test/a", 20.0, 21.0)], recordings, 10.0)
    assert made == Snippet(None, "the recording ends before it")
