import base64
from typing import Any

import pytest

from acoustic_event_prediction.report.baseline_table import BaselineRow
from acoustic_event_prediction.report.browser import Phrase
from acoustic_event_prediction.report.page import SAMPLE
from acoustic_event_prediction.report.snippets import Snippet
from tests.made import evaluation_params
from tests.report.made import Page, entry, measure, render, section

EVIL = """<script>alert(1)</script>"'&<img src=x onerror=alert(2)>"""


def baseline(**changes: Any) -> BaselineRow:
    row: Any = {
        "name": "voice activity",
        "split": "test",
        "auprc": 0.25,
        "prevalence": 0.125,
        "auprc_over_prevalence": 2.0,
        "auprc_over_prevalence_low": 1.5,
        "auprc_over_prevalence_high": 2.5,
        "auroc": None,
        "hit_rate": 0.5,
        "false_alarms_per_hour": 40.0,
        "auprc_difference": 0.3,
        "auprc_difference_low": None,
        "auprc_difference_high": None,
        "undefined": {"auroc": "one class"},
    }
    return row | changes


def test_the_page_loads_nothing_and_may_not() -> None:
    page = Page(render())

    assert not page.all("link")
    assert not page.all("iframe")
    for _, attributes in page.tags:
        assert not {"srcset", "poster", "data", "background"} & set(attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")
    assert "@import" not in render()
    assert "url(" not in render()
    policy = page.all("meta")[1]
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert str(policy["content"]).startswith("default-src 'none'")


def test_links_inside_the_page_lead_somewhere() -> None:
    page = Page(render())
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]

    assert len(ids) == len(set(ids))
    for link in page.all("a"):
        assert str(link["href"]).removeprefix("#") in ids


def test_it_can_be_read_without_seeing_it() -> None:
    page = Page(render())

    assert all(cell["scope"] in {"col", "row"} for cell in page.all("th"))
    assert all(image["alt"] for image in page.all("img"))
    assert all(player["aria-label"] for player in page.all("audio"))
    assert all(drawing["aria-label"] for drawing in page.all("svg"))
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]


def test_the_header_says_what_was_run() -> None:
    text = Page(render()).text

    for fact in (
        "Laughter of any speaker",
        "1 frame, 80 ms",
        "moshi_weights 0123456789ab",
        "2026-11-25 13:05 UTC",
        "Labels and scores feed",
        "SHA-256 over all partitions",
        'loss_type "bce"',
        "report.snippet_seconds 6.0",
    ):
        assert fact in text


@pytest.mark.parametrize(("corpus", "says_so"), [(SAMPLE, True), ("mine", False)])
def test_the_sample_says_what_it_proves(corpus: str, says_so: bool) -> None:
    assert ("says nothing about Moshi" in Page(render(corpus=corpus)).text) is says_so


def test_names_are_text_and_never_markup() -> None:
    hostile = entry(
        episode_id=f"test/{EVIL}",
        user=EVIL,
        speaker=EVIL,
        phrases=(Phrase(EVIL, EVIL, False), Phrase("A", EVIL, True)),
    )
    plain, page = (
        Page(render()),
        Page(render(corpus=EVIL, errors=section(hostile), baselines=[baseline(name=EVIL)])),
    )

    assert len(page.all("script")) == 1
    assert len(page.all("img")) == len(plain.all("img"))
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert page.all("article")[0]["data-episode"] == f"test/{EVIL}"
    assert page.text.count(f"in test/{EVIL}") == 1
    assert f"user {EVIL}" in page.text


def test_figures_are_in_the_page() -> None:
    page = Page(render(figures={"pr_curve": b"one", "roc_curve": b"two"}))

    sources = [str(image["src"]) for image in page.all("img")]
    assert [base64.b64decode(source.partition(",")[2]) for source in sources] == [b"two", b"one"]
    assert "Precision-recall curve. Precision against recall" in page.text


def test_undefined_values_say_why() -> None:
    frames = {"validation/a/x": ([0.9, 0.1, 0.0], [1, 0, 0]), "test/a/x": ([0.9, 0.1], [0, 0])}
    text = Page(render(measure(frames))).text

    assert "undefined: no event is reachable" in text
    assert "None" not in text
    assert "nan" not in text.lower().split()


def test_without_an_alarm_rule_there_is_a_page_without_errors() -> None:
    metrics = measure({"test/a/x": ([0.9, 0.1], [1, 0])}, evaluation_params(threshold=0.5))
    none = section(threshold=None, undefined="validation has no partitions")

    page = Page(render(metrics, none))

    assert "Errors of test undefined: validation has no partitions" in page.text
    assert not page.all("article")
    assert not page.all("select")


def test_entries_show_kind_words_sound_and_what_the_browser_sorts_by() -> None:
    silent = Snippet(None, "beyond the size")
    alarm = entry(kind="false_alarm", speaker=None, place=0, phrases=(), snippet=silent)

    page = Page(render(errors=section(entry(place=1), alarm)))

    articles = [(a["data-kind"], a["data-rank"], a["data-place"]) for a in page.all("article")]
    assert articles == [("miss", "0", "1"), ("false_alarm", "1", "0")]
    assert "Missed event 1:03.2 in test/show_1 speaker B, user A" in page.text
    assert "A so I said 1:03.2 and then" in page.text
    assert "no words here 1:03.2 no sound: beyond the size" in page.text
    assert "1 of 2 have sound" in page.text
    (player,) = page.all("audio")
    assert player["src"] == "data:audio/mpeg;base64,AAAA"
    assert player["preload"] == "none"
    # Hidden until the script that makes them work has run.
    (controls,) = [tag for _, tag in page.tags if tag.get("id") == "controls"]
    assert "hidden" in controls


def test_a_run_without_errors_says_so() -> None:
    assert "There are no errors to show." in Page(render(errors=section())).text


def test_without_baselines_the_page_says_how_to_make_them() -> None:
    assert "kedro run --pipelines baselines" in Page(render()).text


def test_baselines_are_a_table() -> None:
    text = Page(render(baselines=[baseline()])).text

    assert "kedro run --pipelines baselines" not in text
    assert "voice activity, test 0.250 0.125 2.00 1.50 to 2.50 undefined: one class 0.500" in text
    assert "40.0 0.300 no interval" in text
