from pathlib import Path

import pytest
from kedro.io import DatasetError

from acoustic_event_prediction.datasets.optional_json import OptionalJSONDataset


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    dataset = OptionalJSONDataset(filepath=str(tmp_path / "folder" / "a.json"))

    assert dataset.load() is None
    dataset.save({"rows": [1]})
    assert dataset.load() == {"rows": [1]}


def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{half")

    with pytest.raises(DatasetError, match=r"a\.json is damaged.*delete it"):
        OptionalJSONDataset(filepath=str(tmp_path / "a.json")).load()
