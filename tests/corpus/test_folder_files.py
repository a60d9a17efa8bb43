from pathlib import Path

import pandas as pd

from acoustic_event_prediction.corpus.folder_files import walk_files
from acoustic_event_prediction.datasets.sealed import SealedPartitions


def test_what_this_project_has_written_below_a_corpus_is_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    SealedPartitions(
        path=str(tmp_path / "data" / "words"),
        dataset="pandas.ParquetDataset",
        filename_suffix=".parquet",
    ).save({"train/a": pd.DataFrame({"text": ["yes"]})})

    assert walk_files(tmp_path) == ([tmp_path / "a.wav"], [])
