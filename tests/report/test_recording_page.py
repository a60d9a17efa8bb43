import base64
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from acoustic_event_prediction.report.recording_page import render_recording_page
from acoustic_event_prediction.report.sound import Sound
from acoustic_event_prediction.scored_recording import ScoredRecording
from tests.report.made import Page
from tests.scored import make_alarms, make_peaks, make_scores, scored_recording

EVIL = """</script><b>x</b>"'&<img src=x onerror=alert(2)>{{ 7 * 7 }}"""
SEVERAL = {"horizons": (10, 1, 5), "main_horizon": 5}
HEARD = "data:audio/mpeg;base64,AAAA"


def render(recording: ScoredRecording | None = None, **changes: Any) -> str:
    recording = recording or scored_recording()
    uri, missing = changes.pop("uri", HEARD), changes.pop("missing", None)
    values: dict[str, Any] = {
        "sound": Sound(make_peaks(recording), uri, missing),
        "figure_png": b"\x89PNG",
        "facts": [("Predictor", "predictor.safetensors")],
        "notes": [],
    }
    return render_recording_page(recording, **(values | changes))


def payload(html: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="recording">(.*?)</script>', html)
    (text,) = found
    return dict(json.loads(text))


def numbers(text: str, dtype: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype) / np.iinfo(dtype).max


def test_the_page_loads_nothing_and_may_not() -> None:
    html = render()
    page = Page(html)

    assert not page.all("link")
    assert not page.all("iframe")
    assert not page.all("a")
    for _, attributes in page.tags:
        assert not {"srcset", "poster", "data", "background", "href"} & set(attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
    for outside in ("@import", "url(", "fetch(", "XMLHttpRequest", "http:", "https:"):
        assert outside not in html
    policy = str(page.all("meta")[1]["content"])
    assert policy.startswith("default-src 'none'")
    assert "media-src data: blob:" in policy
    assert "connect-src" not in policy


def several(num_users: int = 1, num_frames: int = 125, **changes: Any) -> ScoredRecording:
    """A recording at 10, 1 and 5 frames, the main one."""
    scores = make_scores(num_users, num_frames, 3)
    return scored_recording(**({"scores": scores, **SEVERAL} | changes))


def test_scores_of_all_horizons_are_in_the_page_by_length() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((2, 40, 3)).astype(np.float32)
    scores[:, 0], scores[:, 1] = 0, 1
    scores[:, :, 1] *= 0.1
    recording = scored_recording(
        users=("a", "b"),
        scores=scores,
        **SEVERAL,
        alarms=make_alarms(("b", 0.16, 0.4, 0.5)),
    )

    found = payload(render(recording))

    for horizon, column in zip(found["horizons"], (1, 2, 0), strict=True):
        expected = pytest.approx(scores[:, :, column].ravel(), abs=1e-4)
        assert numbers(horizon["scores"], "<u2") == expected
    assert [horizon["threshold"] for horizon in found["horizons"]] == [None, 0.5, None]
    assert [horizon["score_limit"] for horizon in found["horizons"]] == [0.1, 1.0, 1.0]
    assert found["alarms"] == [[1, 0.16, 0.4]]
    assert [user["name"] for user in found["users"]] == ["a", "b"]
    assert (found["duration"], found["frame_seconds"]) == (3.2, 0.08)


def test_several_horizons_are_a_choice_that_begins_with_the_main_one() -> None:
    page = Page(render(several()))

    (choice,) = [select for select in page.all("select") if select["id"] == "horizon"]
    options = page.all("option")
    assert [option["value"] for option in options] == ["0", "1", "2"]
    assert ["selected" in option for option in options] == [False, True, False]
    assert "Horizon 1 frame, 80 ms 5 frames, 400 ms (alarms) 10 frames, 800 ms" in page.text
    assert "always those at 5 frames, 400 ms; their threshold is drawn only there." in page.text
    assert choice["aria-describedby"] in {tag.get("id") for tag in page.all("p")}
    assert "Scores at 5 frames, 400 ms." in page.text
    assert "Too large" not in page.text


def test_a_single_horizon_is_no_choice() -> None:
    page = Page(render())

    assert [select["id"] for select in page.all("select")] == ["span"]
    assert not page.all("option")
    assert not page.all("figcaption")
    assert "always those" not in page.text
    (horizon,) = payload(render())["horizons"]
    assert horizon["threshold"] == 0.5


def test_horizons_that_the_page_has_no_room_for_are_named() -> None:
    # 22 hours; at each horizon the scores are 2.7 MB of text, and 20 MB are the limit.
    recording = scored_recording(
        scores=np.zeros((1, 1_000_000, 10), np.float32),
        horizons=tuple(range(1, 11)),
        main_horizon=10,
        alarms=make_alarms(),
    )

    html = render(recording)

    assert len(html) < 25_000_000
    assert "in scores.csv: the scores at 8 frames, 640 ms; 9 frames, 720 ms." in html
    assert html.count("<option") == 8
    assert payload(html)["horizons"][-1]["threshold"] == 0.5


def test_without_room_for_another_horizon_there_is_no_choice() -> None:
    recording = scored_recording(
        users=tuple(f"channel_{n}" for n in range(40)),
        scores=np.zeros((40, 200_000, 2), np.float32),
        horizons=(1, 5),
        alarms=make_alarms(),
    )

    html = render(recording)

    assert "<option" not in html
    assert "always those" not in html
    assert "Too large for this page, but in scores.csv: the scores at 1 frame, 80 ms." in html


@pytest.mark.parametrize("loudest", [1.7, 0.5, 1e-4])
def test_peaks_are_in_the_page_as_loud_as_the_loudest(loudest: float) -> None:
    peaks = np.linspace(0, loudest, 125, dtype=np.float32)
    found = numbers(payload(render(sound=Sound(peaks, HEARD, None)))["peaks"], "u1")
    assert found == pytest.approx(peaks / loudest, abs=0.003)


def test_silence_has_a_page() -> None:
    html = render(sound=Sound(np.zeros(125, np.float32), HEARD, None))
    assert not numbers(payload(html)["peaks"], "u1").any()


def test_three_hours_are_few_megabytes() -> None:
    recording = scored_recording(
        users=("a", "b"), scores=make_scores(2, 135_000), alarms=make_alarms()
    )
    assert len(render(recording)) < 2_000_000


def test_three_hours_at_ten_horizons_are_a_page_that_a_browser_opens() -> None:
    recording = several(
        2,
        users=("a", "b"),
        scores=make_scores(2, 135_000, 10),
        horizons=tuple(range(1, 11)),
        alarms=make_alarms(),
    )

    html = render(recording)

    assert len(html) < 8_000_000
    assert html.count("<option") == 10


@pytest.mark.parametrize("make", [scored_recording, several])
def test_names_are_text_and_never_markup(make: Callable[..., ScoredRecording]) -> None:
    recording = make(
        name=EVIL, event=EVIL, users=(EVIL,), alarms=make_alarms((EVIL, 1.0, 2.0, 0.5))
    )

    html = render(recording, facts=[(EVIL, EVIL)], notes=[EVIL], uri=None, missing=EVIL)
    plain, page = Page(render(make(), uri=None, missing="none", notes=["one"])), Page(html)

    assert [name for name, _ in page.tags] == [name for name, _ in plain.tags]
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert EVIL in page.text
    assert payload(html)["users"][0]["name"] == EVIL


def test_a_name_that_is_no_unicode_can_be_written() -> None:
    html = render(scored_recording(name="talk\udcff\0.wav"))
    assert b"talk?" in html.encode("utf-8")


def test_alarms_are_a_table_of_buttons() -> None:
    alarms = make_alarms(("mix", 5.04, 6.0, 0.6), ("mix", 3723.44, 3724.0, 0.0625))
    page = Page(render(scored_recording(alarms=alarms, duration_seconds=4000.0)))

    onsets = [button["data-onset"] for button in page.all("button") if "data-onset" in button]
    assert onsets == ["5.04", "3723.44"]
    assert "5.04" not in page.text
    assert "0:05.0 0.96 s 0.600 mix" in page.text
    assert "1:02:03.4 0.56 s 0.0625 mix" in page.text
    assert "2 alarms in 1:06:40.0 for 1 user" in page.text


def test_without_alarms_the_page_says_how_high_the_scores_were() -> None:
    text = Page(render(scored_recording(alarms=make_alarms(), threshold=0.995))).text
    assert "No alarm in 0:10.0" in text
    assert "threshold 0.995 for long enough. The highest score is 0.992" in text


def test_sound_is_played_and_nothing_is_asked_for() -> None:
    page = Page(render())

    (player,) = page.all("audio")
    assert player["src"] == HEARD
    assert player["preload"] == "metadata"
    assert "controls" in player
    assert "hidden" not in player
    assert not page.all("input")
    assert "There is no sound" not in page.text


def test_without_sound_the_page_says_why_and_opens_the_recording() -> None:
    page = Page(render(uri=None, missing="prediction.report.max_megabytes is 0"))

    (player,) = page.all("audio")
    assert "src" not in player
    assert "There is no sound in this page: prediction.report.max_megabytes is 0." in page.text
    (chooser,) = page.all("input")
    assert chooser["type"] == "file"


def test_notes_and_facts_are_shown() -> None:
    page = Page(render(notes=["No words were given."], facts=[("Checkpoint", "moshiko")]))

    assert {"class": "note"} in page.all("p")
    assert "No words were given." in page.text
    assert "Checkpoint moshiko" in page.text
    assert "begin within 5 frames, 400 ms" in page.text


def test_figure_and_table_need_no_script() -> None:
    page = Page(render())

    (image,) = page.all("img")
    assert image["src"] == "data:image/png;base64,iVBORw=="
    assert "Without JavaScript" in page.text
    # Hidden until the script that makes it work has run.
    hidden = {attributes.get("id") for _, attributes in page.tags if "hidden" in attributes}
    assert "tracks" in hidden


def test_it_can_be_used_without_seeing_it_and_without_a_mouse() -> None:
    page = Page(render(several()))

    sliders = [tag for _, tag in page.tags if tag.get("role") == "slider"]
    assert len(sliders) == 2
    assert all(slider["tabindex"] == "0" and slider["aria-label"] for slider in sliders)
    assert all(cell["scope"] in {"col", "row"} for cell in page.all("th"))
    assert all(image["alt"] for image in page.all("img"))
    assert all(player["aria-label"] for player in page.all("audio"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_script_only_looks_for_what_is_there() -> None:
    html = render(several()) + render(uri=None, missing="none")
    asked = set(re.findall(r'find\("(\w+)"\)', html))
    assert asked <= set(re.findall(r' id="(\w+)"', html))
    assert len(asked) > 8


def test_peaks_of_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"125 frames of 'talk.wav', got the shape \(3,\)"):
        render(sound=Sound(np.zeros(3, np.float32), HEARD, None))


def test_the_page_says_whose_events_are_predicted() -> None:
    for target, whose in (("any", "of any speaker"), ("user", "of the user")):
        recording = scored_recording(target=target)
        assert f"where Laughter {whose} is expected to begin" in render(recording)
