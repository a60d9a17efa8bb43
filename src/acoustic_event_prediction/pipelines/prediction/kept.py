"""Whether the folder of a recording holds already what would be written now."""

import logging
from collections.abc import Mapping
from typing import Any

from acoustic_event_prediction.comparison import differences

logger = logging.getLogger(__name__)

# Says what the others were made from, and their sizes; it is written last.
FACTS_FILE = "prediction.json"


def kept_alarms(folders: Any, name: str, facts: Mapping[str, Any]) -> int | None:
    """Return the number of alarms if the folder of a recording can be kept; else log why not.

    Args:
        folders: data set of the recordings' folders.
        name: of the recording.
        facts: as JSON, all that the outputs are made from; the stored ones have `num_alarms` and
            `files`, the sizes in bytes, as well.
    """
    sizes = folders.file_sizes(name)
    if not sizes:
        return None
    folder = folders.folder(name)
    try:
        stored = dict(folders.load_file(name, FACTS_FILE))
        num_alarms, written = stored.pop("num_alarms", None), dict(stored.pop("files", {}))
        changed = list(differences(stored, facts))
    # Whatever is wrong with the file, the folder is written anew.
    except Exception:
        logger.warning("%s is damaged, and is written anew", folder)
        return None
    sizes.pop(FACTS_FILE, None)
    damaged = [file for file in {**written, **sizes} if written.get(file) != sizes.get(file)]
    if "recording.sha256" in changed:
        logger.warning(
            "%s: replaces the results of other audio of that name, %s",
            *(name, stored["recording"].get("file")),
        )
    elif changed or not isinstance(num_alarms, int):
        logger.info("%s: written anew, changed: %s", name, ", ".join(changed) or "num_alarms")
    elif damaged:
        logger.warning(
            "%s: written anew, because not there, or of another size than when written: %s",
            *(folder, ", ".join(damaged)),
        )
    else:
        return num_alarms
    return None
