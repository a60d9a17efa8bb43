"""The catalog type of a figure."""

import base64
import inspect
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro_datasets._typing import ImagePreview
from matplotlib.figure import Figure

from acoustic_event_prediction.datasets.figure import FigureDataset
from acoustic_event_prediction.figures import SplitFrames, roc_figure


def draw(title: str = "title") -> Figure:
    figure = Figure(figsize=(3, 2), layout="constrained")
    figure.add_subplot().set(title=title, xlabel="Recall")
    return figure


@pytest.fixture
def dataset(tmp_path: Path) -> FigureDataset:
    return FigureDataset(filepath=str(tmp_path / "new" / "roc_curve.png"), dpi=50)


def read(dataset: FigureDataset) -> dict[str, bytes]:
    folder = Path(dataset._describe()["filepath"]).parent
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_figure_is_a_png_of_the_given_dpi_with_a_pdf_beside_it(dataset: FigureDataset) -> None:
    assert not dataset.exists()

    dataset.save(draw())

    files = read(dataset)
    assert dataset.exists()
    assert sorted(files) == ["roc_curve.pdf", "roc_curve.png"]
    assert files["roc_curve.png"][:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(files["roc_curve.png"][16:20], "big") == 150
    assert files["roc_curve.pdf"][:5] == b"%PDF-"


def test_pdf_embeds_its_font_as_text_and_holds_no_date(dataset: FigureDataset) -> None:
    dataset.save(draw())

    pdf = read(dataset)["roc_curve.pdf"]
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf
    assert b"/Subtype /Image" not in pdf
    assert b"Date" not in pdf


def test_equal_figures_give_equal_bytes(dataset: FigureDataset) -> None:
    figure = draw()
    dataset.save(figure)
    first = read(dataset)

    dataset.save(figure)
    assert read(dataset) == first
    dataset.save(draw())
    assert read(dataset) == first
    dataset.save(draw("other"))
    assert all(read(dataset)[name] != first[name] for name in first)


def test_layout_that_moves_when_it_is_solved_twice_is_settled(dataset: FigureDataset) -> None:
    frames = SplitFrames(np.array([0, 1, 0, 1], dtype=np.int8), np.array([0.1, 0.9, 0.8, 0.2]))
    figure = roc_figure({"test": frames}, 0.5)
    dataset.save(figure)
    first = read(dataset)

    dataset.save(figure)

    assert read(dataset) == first


def test_threads_that_draw_at_once_keep_one_anothers_style(tmp_path: Path) -> None:
    fonts = mpl.rcParams["pdf.fonttype"]
    datasets = [FigureDataset(filepath=str(tmp_path / f"{i}.png"), dpi=20) for i in range(12)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda dataset: dataset.save(draw()), datasets))

    pdfs = [path.read_bytes() for path in tmp_path.glob("*.pdf")]
    assert len(pdfs) == len(datasets)
    assert len(set(pdfs)) == 1
    assert b"/Type3" not in pdfs[0]
    assert mpl.rcParams["pdf.fonttype"] == fonts


def test_figure_without_a_layout_engine_is_saved(dataset: FigureDataset) -> None:
    dataset.save(Figure())

    assert dataset.exists()


@pytest.mark.parametrize("broken", ["png", "pdf"])
def test_failed_save_keeps_both_old_files(
    dataset: FigureDataset, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    dataset.save(draw())
    old = read(dataset)
    save = Figure.savefig

    def fail(self: Figure, path: Path, **arguments: Any) -> None:
        save(self, path, **arguments)
        if arguments["format"] == broken:
            raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(draw("other"))
    assert read(dataset) == old


def test_preview_is_the_png_and_kedro_viz_sees_an_image(dataset: FigureDataset) -> None:
    dataset.save(draw())

    assert base64.b64decode(dataset.preview()) == read(dataset)["roc_curve.png"]
    assert inspect.signature(dataset.preview).return_annotation is ImagePreview


def test_what_is_loaded_is_the_png(dataset: FigureDataset) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        dataset.load()

    dataset.save(draw())

    assert dataset.load() == read(dataset)["roc_curve.png"]


def test_filepath_is_the_png(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"got '.*roc\.pdf'; end it in \.png"):
        FigureDataset(filepath=str(tmp_path / "roc.pdf"), dpi=50)


def test_catalog_makes_it_from_a_configuration(tmp_path: Path) -> None:
    entry = {
        "type": "acoustic_event_prediction.datasets.figure.FigureDataset",
        "filepath": str(tmp_path / "roc.png"),
        "dpi": 50,
        "metadata": {"kedro-viz": {"layer": "reporting"}},
    }

    catalog = DataCatalog.from_config({"roc": entry})
    catalog.save("roc", draw())

    assert catalog.exists("roc")
    assert (tmp_path / "roc.pdf").is_file()


def test_a_png_is_written_as_it_is_and_has_no_pdf(dataset: FigureDataset) -> None:
    dataset.save(Figure())
    png = dataset.load()
    dataset.save(png + b"")
    assert read(dataset) == {"roc_curve.png": png}
    with pytest.raises(DatasetError, match="no PNG"):
        dataset.save(b"GIF89a")
    assert dataset.load() == png
