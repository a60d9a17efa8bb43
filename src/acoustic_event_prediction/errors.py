"""Errors that a user, a file or a setting can cause; their message says what to do."""


class ProjectError(Exception):
    """Base of every error whose message is meant for the user; the command line shows it alone."""


class CorpusError(ProjectError):
    """The corpus is missing, incomplete or contradicts itself."""


class CheckpointError(ProjectError):
    """The Moshi/Mimi checkpoint is missing, partial or not the one that was asked for."""


class AudioError(ProjectError):
    """An audio file can't be read or holds no usable sound."""


class LabelError(ProjectError):
    """The stored labels are not of the event, target or horizon that is asked for."""


class StoreError(ProjectError):
    """A partitioned store is incomplete, locked by another run or refuses a name."""


class DiarizationError(ProjectError):
    """The model that finds who speaks when is not installed or can't be had."""


class DeviceError(ProjectError):
    """The device is not there, or has too little memory."""


class WorkerError(ProjectError):
    """A worker process failed; the message holds its last words."""


class TrainingError(ProjectError):
    """The training or validation data can't train or select a classifier."""


def unwritable(name: str, error: OSError, *, kind: str = "partition") -> StoreError:
    """Return the error of a partition, or another kind of output, that the file system refuses."""
    return StoreError(
        f"{kind} {name!r} can't be written: {error}. What is finished is kept; make "
        "room, or give another place with data_root, and run again"
    )
