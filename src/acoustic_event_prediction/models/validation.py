"""How well a classifier does on the validation split, measured over all ranks together."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from acoustic_event_prediction.curves import score_curve
from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.losses import FrameLoss
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.scoring import compute_logits, to_scores
from acoustic_event_prediction.shuffled_frames import FramePartition


class ValidationResult(NamedTuple):
    """Mean over the horizons of what was measured on all validation frames.

    Attributes:
        loss: per frame.
        auprc: area under the precision-recall curve, as average precision.
        auroc: area under the ROC curve.
    """

    loss: float
    auprc: float
    auroc: float


class _Share(NamedTuple):
    """What one rank has scored: summed loss, scores [N, H], labels [N, H]."""

    loss: float
    scores: Array
    labels: Array


def validate(
    classifier: FrameClassifier,
    loss: FrameLoss,
    partitions: Sequence[FramePartition],
    ranks: Ranks,
    *,
    on_partition: Callable[[], None],
) -> ValidationResult:
    """Score this rank's share of the partitions and measure all ranks' scores together.

    Args:
        classifier: equal on all ranks.
        loss: of the training.
        partitions: the whole split, in the same order on all ranks; both classes present.
        ranks: collective.
        on_partition: called after each partition.

    Returns:
        The same numbers on all ranks: rank 0 computes them.

    Raises:
        TrainingError: on all ranks, if one meets NaN or infinite features.
    """
    longest_first = sorted(partitions, key=lambda partition: -len(partition.labels))
    scored, problem = [], None
    for partition in longest_first[ranks.rank :: ranks.world_size]:
        try:
            scored.append(_score(classifier, loss, partition))
        except TrainingError as error:
            problem = f"partition {partition.partition_id!r}: {error}"
            break
        on_partition()
    ranks.raise_any(problem)
    shares = ranks.gather(_join(scored, classifier.num_horizons))
    return ranks.from_main(_measure(shares) if ranks.rank == 0 else ValidationResult(0, 0, 0))


def _score(classifier: FrameClassifier, loss: FrameLoss, partition: FramePartition) -> _Share:
    logits = compute_logits(classifier, partition.load_features())  # [T, H]
    device = loss.positive_weight.device
    total = loss(torch.from_numpy(logits).to(device), torch.from_numpy(partition.labels).to(device))
    return _Share(total.item(), to_scores(logits), partition.labels)


def _join(shares: list[_Share], num_horizons: int) -> _Share:
    nothing = np.empty((0, num_horizons))
    return _Share(
        sum(share.loss for share in shares),
        np.concatenate([nothing.astype(np.float32), *(share.scores for share in shares)]),
        np.concatenate([nothing.astype(np.int8), *(share.labels for share in shares)]),
    )


def _measure(shares: list[_Share]) -> ValidationResult:
    whole = _join(shares, shares[0].scores.shape[1])
    curves = [score_curve(*horizon) for horizon in zip(whole.labels.T, whole.scores.T, strict=True)]
    return ValidationResult(
        loss=whole.loss / whole.labels.size,
        # Never None: a split of one class is refused before.
        auprc=float(np.mean([curve.auprc() or 0.0 for curve in curves])),
        auroc=float(np.mean([curve.auroc() or 0.0 for curve in curves])),
    )
