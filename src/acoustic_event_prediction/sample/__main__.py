"""Command line: write the synthetic corpus and the tiny checkpoint."""

import argparse
import logging
import os
from pathlib import Path

# Before the import of moshi: on a CPU, compiling its last norm takes longer than all the rest.
os.environ.setdefault("NO_TORCH_COMPILE", "1")

from acoustic_event_prediction.sample.checkpoint import write_checkpoint
from acoustic_event_prediction.sample.corpus import write_corpus


def main() -> None:
    """Write the sample that the arguments describe."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    arguments = _parser().parse_args()
    num_episodes = {split: getattr(arguments, split) for split in ("train", "validation", "test")}
    training = write_corpus(
        arguments.output, num_episodes, seed=arguments.seed, seconds=arguments.seconds
    )
    conversations = training.values()
    write_checkpoint(
        arguments.output / "checkpoint",
        [conversation.mix for conversation in conversations],
        [sentence for conversation in conversations for sentence in conversation.sentences],
        num_steps=arguments.fit_steps,
        seed=arguments.seed,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m acoustic_event_prediction.sample", description=__doc__
    )
    parser.add_argument("--output", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=0, help="decides everything (default: 0)")
    parser.add_argument("--train", type=int, default=18, help="training episodes (default: 18)")
    parser.add_argument("--validation", type=int, default=4, help="default: 4 episodes")
    parser.add_argument("--test", type=int, default=7, help="default: 7 episodes")
    parser.add_argument("--seconds", type=float, default=45.0, help="of an episode (default: 45)")
    parser.add_argument("--fit-steps", type=int, default=300, help="of the codec (default: 300)")
    return parser


if __name__ == "__main__":
    main()
