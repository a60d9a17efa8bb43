from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError

from acoustic_event_prediction.datasets.text_file import TextFileDataset


def test_text_comes_back_as_it_was(tmp_path: Path) -> None:
    dataset = TextFileDataset(filepath=str(tmp_path / "new" / "report.html"))
    assert not dataset.exists()

    dataset.save("<p>Zoë\r\n</p>\n")

    assert dataset.exists()
    assert dataset.load() == "<p>Zoë\r\n</p>\n"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]


def test_failed_save_keeps_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = TextFileDataset(filepath=str(tmp_path / "report.html"))
    dataset.save("old")
    write = Path.write_bytes

    def fail(self: Path, data: bytes) -> None:
        write(self, data[:1])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save("new")
    assert dataset.load() == "old"


def test_kedro_viz_shows_no_preview(tmp_path: Path) -> None:
    entry = {
        "type": "acoustic_event_prediction.datasets.text_file.TextFileDataset",
        "filepath": str(tmp_path / "report.html"),
        "metadata": {"kedro-viz": {"layer": "reporting"}},
    }
    dataset = DataCatalog.from_config({"report": entry})["report"]
    assert not hasattr(dataset, "preview")
