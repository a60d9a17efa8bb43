from pathlib import Path

from acoustic_event_prediction.datasets.optional_json import OptionalJSONDataset


def test_a_file_that_is_not_there_is_none(tmp_path: Path) -> None:
    dataset = OptionalJSONDataset(filepath=str(tmp_path / "folder" / "a.json"))

    assert dataset.load() is None
    dataset.save({"rows": [1]})
    assert dataset.load() == {"rows": [1]}
