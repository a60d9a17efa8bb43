"""A worker that does as it is told: succeed, work a while, raise, abort, be killed, hang."""

import os
import signal
import sys
import time

from acoustic_event_prediction.errors import CorpusError
from acoustic_event_prediction.workers.channel import ChannelWriter
from acoustic_event_prediction.workers.runtime import Job, Runtime, run_worker


class ToyJob(Job):
    behaviours: list[str]


def main(job: ToyJob, runtime: Runtime, channel: ChannelWriter) -> None:
    behaviour = job.behaviours[runtime.rank]
    node = int(os.environ["GROUP_RANK"])
    channel.send("progress", pid=os.getpid(), world_size=runtime.world_size, on_node=node)
    if behaviour == "raise":
        raise ValueError("episode 'train/x' can't be used")
    if behaviour == "refuse":
        raise CorpusError("episode 'train/x' has no audio; restore it")
    if behaviour == "be killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "abort":
        sys.stderr.write("terminate called: the library is out of luck\n")
        sys.stderr.flush()
        os.abort()
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "work":
        for beat in range(10):
            time.sleep(0.5)
            channel.send("log", beat=beat)


if __name__ == "__main__":
    run_worker(main, ToyJob, device=lambda _: "cpu")
