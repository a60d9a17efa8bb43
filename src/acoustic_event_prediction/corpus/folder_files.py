"""All files below a folder, for corpora whose folders have no meaning."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from acoustic_event_prediction.corpus.raw import loose_key, normalise

# In each folder of partitions that a data set of ours has completed.
SEAL = "_sealed.json"


def walk_files(root: Path) -> tuple[list[Path], list[OSError]]:
    """Return the files below a folder, sorted, and what could not be read.

    What is hidden is left out, and what this project has written there. Links to folders are
    followed, but no folder is entered twice.
    """
    files: list[Path] = []
    failures: list[OSError] = []
    seen: set[tuple[int, int]] = set()
    _is_new(root, seen, failures)
    for folder, subfolders, names in os.walk(root, onerror=failures.append, followlinks=True):
        here = Path(folder)
        files += [here / name for name in names if not name.startswith(".")]
        # Folders of their own come before links to them, so that paths are the plain ones.
        visible = sorted(name for name in subfolders if not name.startswith("."))
        subfolders[:] = [
            name
            for name in sorted(visible, key=lambda name: (here / name).is_symlink())
            if not (here / name / SEAL).exists() and _is_new(here / name, seen, failures)
        ]
    return sorted(files), failures


def _is_new(folder: Path, seen: set[tuple[int, int]], failures: list[OSError]) -> bool:
    try:
        status = folder.stat()
    except OSError as error:
        failures.append(error)
        return False
    identity = (status.st_dev, status.st_ino)
    if identity in seen:
        return False
    seen.add(identity)
    return True


class FilesByName:
    """Finds the file of a recording among files of one kind: by its name, else by its letters.

    Args:
        files: of all folders.
        suffix: of the kind, in lower case.
        others: suffixes of other kinds, which end with `suffix` as well.
        recordings: names of all recordings; a file that bears one exactly is that one's alone.
    """

    def __init__(
        self,
        files: Sequence[Path],
        suffix: str,
        recordings: Mapping[str, Path],
        others: Sequence[str] = (),
    ) -> None:
        self._exact: dict[str, list[Path]] = {}
        self._loose: dict[str, list[Path]] = {}
        for path in files:
            lower = path.name.lower()
            if not lower.endswith(suffix) or any(map(lower.endswith, others)):
                continue
            name = normalise(path.name[: -len(suffix)])
            if name in recordings:
                self._exact.setdefault(name, []).append(path)
            elif key := loose_key(name):
                self._loose.setdefault(key, []).append(path)

    def find(self, name: str, folder: Path) -> list[Path]:
        """Return the files that a recording may mean: one, none, or several that are alike.

        Args:
            name: of the recording.
            folder: that it lies in; a file there is preferred to those elsewhere.
        """
        found = self._exact.get(name) or self._loose.get(loose_key(name), [])
        return [path for path in found if path.parent == folder] or found
