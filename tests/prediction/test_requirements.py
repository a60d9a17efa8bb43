import shutil
from pathlib import Path

import pytest

from acoustic_event_prediction.alarms import AlarmRule
from acoustic_event_prediction.errors import CheckpointError
from acoustic_event_prediction.models.predictor import PredictorError
from acoustic_event_prediction.models.predictor_header import PredictorHeader
from acoustic_event_prediction.params import CheckpointParams
from acoustic_event_prediction.prediction import requirements as module
from acoustic_event_prediction.prediction.requirements import (
    Requirements,
    choose_rule,
    find_checkpoint,
)
from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint
from tests.conftest import SAMPLE
from tests.made import make_predictor, prediction_params
from tests.prediction.made import header_values, requirements


def header(**changes: object) -> PredictorHeader:
    return make_predictor(**(header_values() | changes)).header


def folder(path: Path | str) -> CheckpointParams:
    return CheckpointParams(hf_repo=None, revision=None, directory=str(path))


def test_the_header_says_how_features_are_made() -> None:
    found = requirements(text="words_at_end", stream_order="reference", mask_laughter="system")
    assert found.settings.text == "words_at_end"
    assert found.settings.stream_order == "reference"
    assert found.streams.mask_laughter == "system"
    assert (found.settings.chunk_frames, found.settings.device) == (256, "cpu")


@pytest.mark.parametrize(
    ("sources", "hears_speakers", "hears_mixes_only"),
    [
        (("diarization",), True, False),
        (("diarization", "separated"), True, False),
        (("diarization", "mono"), False, False),
        (("mono",), False, True),
        ((), False, False),
    ],
)
def test_it_knows_how_streams_were_made(
    sources: tuple[str, ...], hears_speakers: bool, hears_mixes_only: bool
) -> None:
    found = requirements(sources=sources)
    assert (found.hears_speakers, found.hears_mixes_only) == (hears_speakers, hears_mixes_only)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ({"kind": "energy", "format": 1}, "trained on baseline features"),
        ({"format": 1, "checkpoint": {}}, "have format 1.*this version of the package makes"),
        ({"format": 2}, "which checkpoint"),
        ({"format": 2, "checkpoint": "x"}, "which checkpoint"),
        ({"format": 2, "checkpoint": {}}, "does not say how its features are made"),
        (
            {"format": 2, "checkpoint": {}, "feature_extraction": {"text": "sung"}},
            "does not say how its features are made",
        ),
    ],
)
def test_other_predictors_are_refused(features: dict[str, object], message: str) -> None:
    with pytest.raises(PredictorError, match=message):
        Requirements.of(header(features=features), chunk_frames=256, device="cpu")


def test_the_checkpoint_is_found_where_the_settings_say(tmp_path: Path) -> None:
    shutil.copytree(SAMPLE / "checkpoint", tmp_path / "moved")
    found = find_checkpoint(
        header(checkpoint_folder="gone"), None, configured=folder(tmp_path / "moved")
    )
    assert found.moshi_weights.parent == tmp_path / "moved"


def test_the_checkpoint_is_found_where_it_lay_at_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "project"
    shutil.copytree(SAMPLE / "checkpoint", project / "models" / "moshi")
    predictor = project / "data" / "shift_1" / "predictor.safetensors"
    found = find_checkpoint(header(checkpoint_folder="models/moshi"), predictor)
    assert found.moshi_weights.parent == project / "models" / "moshi"


def test_another_checkpoint_is_refused_with_what_differs(
    short_context_directory: Path,
) -> None:
    with pytest.raises(PredictorError, match=r"is not found.*sha256.config.*checkpoint.directory="):
        find_checkpoint(
            header(checkpoint_folder="gone/away"),
            None,
            configured=folder(short_context_directory),
        )


def test_a_hub_checkpoint_is_taken_at_its_revision(
    monkeypatch: pytest.MonkeyPatch, short_context_checkpoint: Checkpoint
) -> None:
    asked: list[CheckpointParams] = []

    def locate(params: CheckpointParams) -> Checkpoint:
        asked.append(params)
        identity = {"hf_repo": params.hf_repo, "revision": "abc"}
        values = vars(short_context_checkpoint) | {"identity": identity}
        return Checkpoint(**values)

    monkeypatch.setattr(module, "locate_checkpoint", locate)
    features = header().features | {"checkpoint": {"hf_repo": "kyutai/moshi", "revision": "abc"}}
    found = find_checkpoint(header(features=features), None, configured=folder("elsewhere"))
    assert found.identity == features["checkpoint"]
    assert [(params.hf_repo, params.revision) for params in asked] == [("kyutai/moshi", "abc")]


def test_a_hub_checkpoint_that_cannot_be_had_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def locate(params: CheckpointParams) -> Checkpoint:
        raise CheckpointError("no network")

    monkeypatch.setattr(module, "locate_checkpoint", locate)
    features = header().features | {"checkpoint": {"hf_repo": "kyutai/moshi", "revision": "abc"}}
    with pytest.raises(PredictorError, match=r"kyutai/moshi at revision abc.*no network"):
        find_checkpoint(header(features=features), None)
    with pytest.raises(PredictorError, match="can't be told"):
        find_checkpoint(header(features=features), None, only=SAMPLE / "checkpoint")


def test_a_folder_that_is_given_alone_must_be_the_one(tmp_path: Path) -> None:
    with pytest.raises(PredictorError, match=r"there is no folder .*is_there_not"):
        find_checkpoint(header(), None, only=tmp_path / "is_there_not")


@pytest.mark.parametrize("repository", ["../../etc", 5, None])
def test_a_repository_that_is_none_is_refused(repository: object) -> None:
    features = header().features | {"checkpoint": {"hf_repo": repository, "revision": "abc"}}
    with pytest.raises(PredictorError, match="is none"):
        find_checkpoint(header(features=features), None)


def test_a_folder_that_no_file_system_takes_is_not_found() -> None:
    with pytest.raises(PredictorError, match="there is no folder"):
        find_checkpoint(header(checkpoint_folder="x" * 1000), SAMPLE / "predictor.safetensors")


def test_the_rule_is_the_predictors_but_for_what_is_given() -> None:
    assert choose_rule(header(), None) == AlarmRule(0.5, 0.0, 0.08, 1.0)
    params = prediction_params(threshold=0.0, refractory_seconds=2.0)
    assert choose_rule(header(), params) == AlarmRule(0.0, 0.0, 0.08, 2.0)


def test_without_a_rule_all_of_it_must_be_given() -> None:
    params = prediction_params(threshold=0.5, merge_gap_seconds=0.0)
    with pytest.raises(
        PredictorError,
        match=r"no rule.*prediction\.minimum_duration_seconds, prediction\.refractory_seconds$",
    ):
        choose_rule(header(alarms=None), params)
