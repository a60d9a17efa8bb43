"""What is wrong, or remarkable, in the files of an episode, so that one run names it all."""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from acoustic_event_prediction.audio_source import AudioFileError, AudioSource, place_of
from acoustic_event_prediction.errors import AudioError, CorpusError

logger = logging.getLogger(__name__)

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


def require_file(path: Path) -> None:
    """Check that a path is a file: a pipe would be waited for, a device read without end.

    Raises:
        FileProblem: it is something else.
        OSError: there is nothing.
    """
    if not path.is_file():
        path.lstat()
        kind = "a folder" if path.is_dir() else "a dangling link, a pipe or a device"
        raise FileProblem(f"is no file but {kind}", "put the file itself there, or remove it")


class Finding(NamedTuple):
    """One problem or warning."""

    episode_id: str
    file: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return `episode: file: problem: what to do`."""
        text = ": ".join(part for part in self if part)
        # File names may hold bytes that are no text, which no log and no report takes.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


class Findings:
    """Collects problems and warnings of one episode, or of the corpus.

    Args:
        root: of the corpus; files are named relative to it.
        episode_id: `<split>/<name>`; empty for what is of no single episode.
    """

    def __init__(self, root: Path, episode_id: str) -> None:
        self._root = root
        self._episode_id = episode_id
        self.problems: list[Finding] = []
        self.warnings: list[Finding] = []

    def of(self, name: str) -> "Findings":
        """Return findings of an episode that end up among these."""
        other = Findings(self._root, name)
        other.problems, other.warnings = self.problems, self.warnings
        return other

    def problem(self, path: AudioSource | None, problem: str, remedy: str = LEAVE_OUT) -> None:
        """Note that the episode can't be used."""
        self.problems.append(self._finding(path, problem, remedy))

    def warn(self, path: AudioSource | None, problem: str, remedy: str = "") -> None:
        """Note something that the user should know; the episode is used."""
        self.warnings.append(self._finding(path, problem, remedy))

    @contextlib.contextmanager
    def collecting(self, path: AudioSource) -> Iterator[None]:
        """Turn an unusable file into a problem of the episode and go on after the block.

        Damage that no reader has foreseen is one, too: one file must not end the whole ingestion.
        """
        try:
            yield
        except (FileProblem, AudioFileError) as error:
            self.problem(path, error.problem, error.remedy)
        except AudioError as error:
            self.problem(path, str(error))
        except OSError as error:
            self.problem(path, f"can't be read ({error.strerror})", "check the file's permissions")
        except Exception as error:
            logger.debug("%s", path, exc_info=True)
            reason = str(error).splitlines()[0] if str(error) else ""
            self.problem(path, f"can't be used ({type(error).__name__}: {reason})")

    def _finding(self, source: AudioSource | None, problem: str, remedy: str) -> Finding:
        if source is None:
            return Finding(self._episode_id, "", problem, remedy)
        place = place_of(source)
        if place is None:
            return Finding(self._episode_id, str(source), problem, remedy)
        path = place.path
        file = path.relative_to(self._root) if path.is_relative_to(self._root) else path
        return Finding(self._episode_id, file.as_posix() + place.part, problem, remedy)


def describe(findings: Iterable[Finding]) -> str:
    """Return one line for each finding, at most 50, and how many more there are."""
    lines = [f"  {finding}" for finding in findings]
    hidden = len(lines) - _MAX_LISTED
    return "\n".join(lines[:_MAX_LISTED] + ([f"  and {hidden} more"] if hidden > 0 else []))
