from pathlib import Path

import pandas as pd
import pytest
from praatio import textgrid

from acoustic_event_prediction.annotations import AnnotationTiers
from acoustic_event_prediction.datasets.textgrid import TextGridDataset


def spans(*rows: tuple[float, float, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["onset", "offset", "text"])


@pytest.mark.parametrize("name", ["SPEAKER_00", 'Zoë "the" Müller', "名前 🙂"])
def test_tiers_come_back_from_the_file(tmp_path: Path, name: str) -> None:
    dataset = TextGridDataset(filepath=str(tmp_path / "a.part"))
    tiers = {name: spans((0.5, 1.25, 'Laughter "ha"'), (2.0, 2.5, "Laughter")), "none": spans()}
    dataset.save(AnnotationTiers(10.0, tiers))

    loaded = dataset.load()

    assert loaded.duration_seconds == 10.0
    assert list(loaded.tiers) == [name, "none"]
    assert loaded.tiers[name].to_numpy().tolist() == tiers[name].to_numpy().tolist()
    assert loaded.tiers["none"].empty


def test_praats_own_format_has_gaps_as_empty_intervals(tmp_path: Path) -> None:
    path = tmp_path / "a.TextGrid"
    TextGridDataset(filepath=str(path)).save(AnnotationTiers(3.0, {"a": spans((1.0, 2.0, "x"))}))

    entries = textgrid.openTextgrid(str(path), includeEmptyIntervals=True).getTier("a").entries

    assert [tuple(entry) for entry in entries] == [(0, 1, ""), (1, 2, "x"), (2, 3, "")]


@pytest.mark.parametrize(
    ("hostile", "plain"),
    [
        ("intervals [1]:", "intervals (1):"),
        ("a\n    item [2]:", "a item (2):"),
        ("two\r\nlines\x1f\t", "two lines"),
    ],
)
def test_words_of_the_format_in_names_and_texts_do_not_break_the_file(
    tmp_path: Path, hostile: str, plain: str
) -> None:
    dataset = TextGridDataset(filepath=str(tmp_path / "a.TextGrid"))

    dataset.save(AnnotationTiers(3.0, {hostile: spans((1.0, 2.0, hostile)), "b": spans()}))

    loaded = dataset.load().tiers
    assert list(loaded) == [plain, "b"]
    assert loaded[plain].to_numpy().tolist() == [[1.0, 2.0, plain]]
