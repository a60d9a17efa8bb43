"""The split of each recording of a folder: as a table or the folders say, or drawn."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from acoustic_event_prediction.corpus.findings import Findings
from acoustic_event_prediction.corpus.raw import SPLITS, show_in
from acoustic_event_prediction.corpus.splits import draw_splits
from acoustic_event_prediction.corpus.tables import Annotation
from acoustic_event_prediction.corpus_params import TableParams
from acoustic_event_prediction.errors import CorpusError

# With fewer, whole shows make no three splits.
_LEAST_SHOWS = 3
_NAMES = ", ".join(SPLITS)
# What others call the splits; in lower case.
_OTHER_NAMES = {
    *("train", "training", "validation", "valid", "val", "dev", "devel", "development"),
    *("test", "testing", "eval", "evaluation"),
}


def choose_splits(
    root: Path,
    recordings: Mapping[str, Path],
    rows: Mapping[str, Sequence[Annotation]],
    table: Path | None,
    params: TableParams,
    findings: Findings,
) -> dict[str, tuple[str, str | None]]:
    """Return the split and the show of each recording that has a split.

    Args:
        root: of the corpus.
        recordings: by name.
        rows: of the table, by recording.
        table: of events; None: there is none.
        params: how splits are made.
        findings: take what is wrong or remarkable.

    Raises:
        CorpusError: the wanted way of splitting does not go, or leaves nothing.
    """
    shows = {
        name: _one_value(name, rows.get(name, ()), "show", table, findings) or show_in(name)
        for name in recordings
    }
    way: str = params.split_by
    if way == "auto":
        way = _best_way(root, recordings, rows, shows)
    if way == "column":
        splits = _by_column(recordings, rows, table, findings)
    elif way == "folder":
        splits = _by_folder(root, recordings, findings)
    else:
        splits = _drawn(recordings, shows, params, by_show=way == "show")
        counts = Counter(splits.values())
        findings.warn(
            None,
            f"splits are drawn by {way} with seed {params.seed}: "
            + ", ".join(f"{counts[split]} in {split}" for split in SPLITS),
        )
        _note_other_names(root, recordings, params, findings)
    if not splits:
        raise CorpusError(f"no recording below {root} has a split (ingestion.table.split_by={way})")
    _note_shared_shows(splits, shows, findings)
    return {name: (split, shows[name]) for name, split in splits.items()}


def _best_way(
    root: Path,
    recordings: Mapping[str, Path],
    rows: Mapping[str, Sequence[Annotation]],
    shows: Mapping[str, str | None],
) -> str:
    if any(row.split for of_one in rows.values() for row in of_one):
        return "column"
    if any(_split_folders(root, path) for path in recordings.values()):
        return "folder"
    return "show" if len(set(shows.values()) - {None}) >= _LEAST_SHOWS else "episode"


def _by_column(
    recordings: Mapping[str, Path],
    rows: Mapping[str, Sequence[Annotation]],
    table: Path | None,
    findings: Findings,
) -> dict[str, str]:
    if not any(row.split for of_one in rows.values() for row in of_one):
        raise CorpusError(
            "ingestion.table.split_by=column, but "
            + (f"{table} has no column `split`" if table else "there is no table of events")
            + "; add it, or take another way: folder, show, episode"
        )
    splits = {}
    for name, audio in recordings.items():
        split = _one_value(name, rows.get(name, ()), "split", table, findings)
        if split in SPLITS:
            splits[name] = split
        elif split is not None:
            line = next(row.line for row in rows[name] if row.split == split)
            findings.of(name).problem(
                table, f"line {line}: the split {split!r} is none of {_NAMES}", "write one of them"
            )
        elif not any(row.split for row in rows.get(name, ())):
            where = "no row of it has one" if name in rows else "the table has no row of it"
            findings.of(name).problem(
                audio, f"has no split: {where}", "add a row with its split, or move it elsewhere"
            )
    return splits


def _one_value(
    name: str,
    rows: Sequence[Annotation],
    column: str,
    table: Path | None,
    findings: Findings,
) -> str | None:
    """Return what the rows of a recording say in a column; two different values are a problem."""
    lines: dict[str, int] = {}
    for row in rows:
        if (value := getattr(row, column)) is not None:
            lines.setdefault(value, row.line)
    if len(lines) > 1:
        (first, line), (second, other), *_ = lines.items()
        findings.of(name).problem(
            table,
            f"line {line}: the {column} is {first!r}, in line {other} it is {second!r}",
            "write the same in all rows of a recording",
        )
        return None
    return next(iter(lines), None)


def _split_folders(root: Path, path: Path) -> list[str]:
    return sorted({part for part in path.relative_to(root).parent.parts if part in SPLITS})


def _by_folder(root: Path, recordings: Mapping[str, Path], findings: Findings) -> dict[str, str]:
    splits = {}
    for name, path in recordings.items():
        folders = _split_folders(root, path)
        if len(folders) == 1:
            splits[name] = folders[0]
        else:
            lies = f"lies in {' and '.join(folders)}" if folders else f"lies in none of {_NAMES}"
            findings.of(name).problem(path, f"has no split: it {lies}", "move it into one of them")
    return splits


def _drawn(
    recordings: Mapping[str, Path],
    shows: Mapping[str, str | None],
    params: TableParams,
    *,
    by_show: bool,
) -> dict[str, str]:
    units: dict[str, list[str]] = {}
    for name in recordings:
        show = shows[name] if by_show else None
        units.setdefault(f"recording {name}" if show is None else f"show {show}", []).append(name)
    try:
        return draw_splits(units, params.fractions.model_dump(), seed=params.seed)
    except CorpusError as error:
        raise CorpusError(
            f"of {'shows' if by_show else 'recordings'}, {error}; set fractions to 0 "
            "(ingestion.table.fractions.test=0), add recordings"
            + (", or take ingestion.table.split_by=episode" if by_show else "")
        ) from error


def _note_other_names(
    root: Path, recordings: Mapping[str, Path], params: TableParams, findings: Findings
) -> None:
    """Say when folders look like splits under other names, which are not followed."""
    if params.split_by != "auto":
        return
    parts = {part for path in recordings.values() for part in path.relative_to(root).parent.parts}
    if alike := sorted(part for part in parts if part.lower() in _OTHER_NAMES):
        findings.warn(
            None,
            f"the folders {', '.join(alike)} are not taken as splits",
            f"if they are, name them {_NAMES}",
        )


def _note_shared_shows(
    splits: Mapping[str, str], shows: Mapping[str, str | None], findings: Findings
) -> None:
    of_show: dict[str, set[str]] = {}
    for name, split in splits.items():
        if (show := shows[name]) is not None:
            of_show.setdefault(show, set()).add(split)
    if shared := [show for show, its in of_show.items() if len(its) > 1]:
        findings.warn(
            None,
            f"{len(shared)} shows are in more than one split, the first: {shared[0]!r} in "
            f"{' and '.join(split for split in SPLITS if split in of_show[shared[0]])}",
            "their voices are heard in training and in the test: ingestion.table.split_by=show "
            "keeps shows whole",
        )
