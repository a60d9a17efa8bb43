"""What is wrong, or remarkable, in the files of an episode, so that one run names it all."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from acoustic_event_prediction.audio import AudioFileError
from acoustic_event_prediction.errors import CorpusError

LEAVE_OUT = "repair it, or leave the episode out"
_MAX_LISTED = 50


class FileProblem(CorpusError):
    """A metadata file can't be used.

    Args:
        problem: what is wrong with it.
        remedy: what to do.
    """

    def __init__(self, problem: str, remedy: str = LEAVE_OUT) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy


class Finding(NamedTuple):
    """One problem or warning."""

    episode_id: str
    file: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return `episode: file: problem: what to do`."""
        return ": ".join(part for part in self if part)


class Findings:
    """Collects problems and warnings of one episode.

    Args:
        root: of the corpus; files are named relative to it.
        episode_id: `<split>/<name>`.
    """

    def __init__(self, root: Path, episode_id: str) -> None:
        self._root = root
        self._episode_id = episode_id
        self.problems: list[Finding] = []
        self.warnings: list[Finding] = []

    def problem(self, path: Path, problem: str, remedy: str = LEAVE_OUT) -> None:
        """Note that the episode can't be used."""
        self.problems.append(self._finding(path, problem, remedy))

    def warn(self, path: Path, problem: str, remedy: str = "") -> None:
        """Note something that the user should know; the episode is used."""
        self.warnings.append(self._finding(path, problem, remedy))

    @contextlib.contextmanager
    def collecting(self, path: Path) -> Iterator[None]:
        """Turn an unusable file into a problem of the episode and go on after the block."""
        try:
            yield
        except (FileProblem, AudioFileError) as error:
            self.problem(path, error.problem, error.remedy)
        except OSError as error:
            self.problem(path, f"can't be read ({error.strerror})", "check the file's permissions")

    def _finding(self, path: Path, problem: str, remedy: str) -> Finding:
        file = path.relative_to(self._root) if path.is_relative_to(self._root) else path
        return Finding(self._episode_id, file.as_posix(), problem, remedy)


def describe(findings: Iterable[Finding]) -> str:
    """Return one line for each finding, at most 50, and how many more there are."""
    lines = [f"  {finding}" for finding in findings]
    hidden = len(lines) - _MAX_LISTED
    return "\n".join(lines[:_MAX_LISTED] + ([f"  and {hidden} more"] if hidden > 0 else []))
