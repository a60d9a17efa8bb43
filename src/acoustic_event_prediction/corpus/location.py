"""Where the corpus lies: in a folder, or in the Hugging Face hub's cache on this machine."""

import logging
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from huggingface_hub.utils import logging as hub_logging

from acoustic_event_prediction.errors import CorpusError

logger = logging.getLogger(__name__)

# `hf:/` is what pathlib makes of it.
_PREFIX = "hf:/"
_REPOSITORY = re.compile(
    r"hf://(?:datasets/)?(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?"
)


def is_on_hub(root: str) -> bool:
    """Return whether a corpus is named by its repository on the hub.

    >>> is_on_hub("hf://ylacombe/podcast_fillers_by_license"), is_on_hub("/corpora/mine")
    (True, False)
    """
    return root.startswith(_PREFIX)


def locate_corpus(root: str, *, download: bool) -> Path:
    """Return the folder of the corpus, which need not be there if `root` is a path.

    Args:
        root: a path, or `hf://owner/name` or `hf://owner/name@revision`: a data set on the hub, of
            which the parquet files are in the hub's cache.
        download: fetch what is not in the cache; else the hub is not asked.

    Raises:
        CorpusError: the data set is not in the cache and can't be fetched.
    """
    if not is_on_hub(root):
        return Path(root)
    match = _REPOSITORY.fullmatch(root)
    if match is None:
        raise CorpusError(
            f"dataset_root={root} names no data set on the hub; write hf://owner/name or "
            "hf://owner/name@revision, such as hf://ylacombe/podcast_fillers_by_license"
        )
    if download:
        logger.info("looking for %s in the hub's cache and on the hub", root)
    # Each of its retries would print a long warning; the error below says what matters.
    hub_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        folder = snapshot_download(
            match["name"],
            repo_type="dataset",
            revision=match["revision"],
            allow_patterns="*.parquet",
            local_files_only=not download,
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise _not_found(root, match["name"], error, download=download) from error
    return Path(folder)


def _not_found(root: str, name: str, error: Exception, *, download: bool) -> CorpusError:
    if not download:
        return CorpusError(
            f"{root} is not in the hub's cache on this machine; fetch it with `kedro run "
            "--pipelines ingestion`, or give the folder where it is with dataset_root"
        )
    return CorpusError(
        f"{root} is neither in the hub's cache on this machine nor can it be fetched "
        f"({type(error).__name__}: {str(error).splitlines()[0]}). Check the name; with a network, "
        f"run again; without, download https://huggingface.co/datasets/{name} elsewhere and set "
        "dataset_root to that folder (PodcastFillers: 8.3 GB; each episode is under CC BY, "
        "CC BY-SA or CC BY-ND 3.0)."
    )
