"""Layout `table`: recordings in any folders, with a table of events or a label file beside each."""

from collections.abc import Sequence
from pathlib import Path

from acoustic_event_prediction.corpus.event_sources import (
    EventSources,
    find_words,
    from_label_files,
    from_table,
)
from acoustic_event_prediction.corpus.findings import Finding, Findings, describe
from acoustic_event_prediction.corpus.folder_files import walk_files
from acoustic_event_prediction.corpus.raw import (
    AUDIO_SUFFIXES,
    SPLITS,
    RawCorpus,
    RawEpisode,
    normalise,
)
from acoustic_event_prediction.corpus.split_choice import choose_splits
from acoustic_event_prediction.corpus_params import TableParams
from acoustic_event_prediction.errors import CorpusError

_EXPECTED = """expected anywhere below it:
  <episode>.wav  (or .flac, .ogg, .mp3)
and either a CSV or parquet file of all events, named by ingestion.table.events:
  episode,onset,offset,label,speaker
  harbour_01,12.34,13.05,Laughter,Ann
  harbour_02,7.5,8.25,Breath,
or beside each recording a label file with its name: <episode>.txt (Audacity label track),
<episode>.TextGrid (Praat), <episode>.rttm, or <episode>.csv (onset,offset,label).
A corpus elsewhere: kedro run --params ingestion.layout=table,dataset_root=/path,corpus=a_name"""
_GET_LABELS = (
    "put a label file with its name beside it (an empty one says that there is no event), or leave "
    "the episode out (ingestion.exclude_episodes)"
)
_GET_ROWS = "add rows for it"


def find_corpus(root: Path, params: TableParams) -> RawCorpus:
    """Return the index of all recordings below a folder that have a split.

    Args:
        root: of the corpus.
        params: where the events are, and how splits are made.

    Raises:
        CorpusError: there is no recording, neither a table nor a label file, or no way to split.
    """
    if not root.is_dir():
        raise CorpusError(f"no corpus at {root.absolute()}: there is no such folder; {_EXPECTED}")
    files, failures = walk_files(root)
    findings = Findings(root, "")
    for failure in failures:
        findings.problem(
            Path(failure.filename),
            f"can't be read ({failure.strerror})",
            "check the folder's permissions",
        )
    recordings = _find_recordings(root, files, findings)
    if not recordings:
        raise CorpusError(f"no recording below {root.absolute()}; {_EXPECTED}")
    if params.events is not None:
        table = root / params.events
        sources = from_table(table, files, recordings, params, findings)
    else:
        sources = from_label_files(files, recordings, params, findings)
        if not sources.annotations and not findings.problems:
            raise CorpusError(_without_events(root, files, sources, params))
    words = find_words(files, recordings, findings)
    try:
        splits = choose_splits(root, recordings, sources.rows, sources.table, params, findings)
    except CorpusError as error:
        others = f":\n{describe(findings.problems)}" if findings.problems else ""
        raise CorpusError(f"{error}{others}") from error
    episodes = [
        RawEpisode(
            split=split,
            name=name,
            audio=recordings[name],
            tracks={},
            annotation=sources.annotations.get(name),
            transcript=words.get(name),
            diarization=sources.diarizations.get(name),
            mapping=None,
            show_name=show,
            problems=_of(findings.problems, name, split),
            warnings=_of(findings.warnings, name, split),
        )
        for name, (split, show) in splits.items()
        if name not in sources.left_out
    ]
    kept = {episode.name for episode in episodes}
    return RawCorpus(
        root=root,
        episodes=tuple(sorted(episodes, key=lambda e: (SPLITS.index(e.split), e.name))),
        annotations=sources.table,
        get_annotations=_GET_LABELS if sources.table is None else _GET_ROWS,
        needs_rows=False,
        event_readers=sources.readers,
        problems=tuple(one for one in findings.problems if one.episode_id not in kept),
        warnings=tuple(one for one in findings.warnings if one.episode_id not in kept),
    )


def _of(findings: Sequence[Finding], name: str, split: str) -> tuple[Finding, ...]:
    """Return the findings of one recording, as those of an episode."""
    return tuple(
        one._replace(episode_id=f"{split}/{name}") for one in findings if one.episode_id == name
    )


def _find_recordings(root: Path, files: Sequence[Path], findings: Findings) -> dict[str, Path]:
    """Return the recordings by name; of two with one name in different places, neither."""
    found: dict[str, list[Path]] = {}
    for path in files:
        if path.suffix.lower() in AUDIO_SUFFIXES:
            found.setdefault(normalise(path.stem), []).append(path)
    recordings = {}
    for name, paths in sorted(found.items()):
        ordered = sorted(paths, key=lambda path: AUDIO_SUFFIXES.index(path.suffix.lower()))
        formats = {path.suffix.lower() for path in paths}
        is_one = len(formats) == len(paths) and len({path.parent for path in paths}) == 1
        if is_one or len({path.resolve() for path in paths}) == 1:
            recordings[name] = ordered[0]
        else:
            others = ", ".join(path.relative_to(root).as_posix() for path in ordered[1:])
            findings.of(name).problem(
                ordered[0],
                f"bears the same name as {others}",
                "rename all but one: an episode is named after its file; move copies elsewhere",
            )
    return recordings


def _without_events(
    root: Path, files: Sequence[Path], sources: EventSources, params: TableParams
) -> str:
    """Return why there are no events, with what was found instead."""
    tables = [
        path.relative_to(root).as_posix()
        for path in files
        if path.suffix.lower() in {".csv", ".parquet", ".rttm"} and path.parent == root
    ]
    if sources.diarizations and params.rttm == "turns":
        hint = "the RTTM files hold turns only (ingestion.table.rttm=turns); "
    elif tables:
        hint = f"if {tables[0]} is the table of events, give ingestion.table.events={tables[0]}; "
    else:
        hint = ""
    return f"no file of events for any recording below {root.absolute()}; {hint}{_EXPECTED}"
