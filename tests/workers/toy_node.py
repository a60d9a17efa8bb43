"""One node of several: launches the toy worker and prints every message that it hears."""

import json
import sys
from pathlib import Path

from acoustic_event_prediction.params import LauncherParams
from acoustic_event_prediction.workers.channel import Message
from acoustic_event_prediction.workers.launch import run_workers
from tests.workers.toy_worker import ToyJob


def show(message: Message) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run_workers(
        "tests.workers.toy_worker",
        ToyJob.model_validate_json(sys.argv[2]),
        LauncherParams.model_validate_json(sys.argv[1]),
        on_message=show,
        shared_folder=Path(sys.argv[3]),
    )
