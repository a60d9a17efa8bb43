"""How well a classifier does on the validation split, measured over all ranks together."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from acoustic_event_prediction.curves import ScoreCurve, score_curve
from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.models.losses import FrameLoss
from acoustic_event_prediction.models.ranks import Ranks
from acoustic_event_prediction.models.scoring import compute_logits, to_scores
from acoustic_event_prediction.models.training_set import TrainingSet, is_positive_within
from acoustic_event_prediction.shuffled_frames import FramePartition


class ValidationResult(NamedTuple):
    """What was measured on all validation frames, one value per horizon.

    Attributes:
        loss: mean over the frames.
        auprc: area under the precision-recall curve, as average precision.
        auroc: area under the ROC curve.
    """

    loss: tuple[float, ...]
    auprc: tuple[float, ...]
    auroc: tuple[float, ...]


class _Share(NamedTuple):
    """What one rank has scored: summed losses [H], scores [N, H], classes [N, H]."""

    loss: Array
    scores: Array
    is_positive: Array


class Validation:
    """Scores the validation split again and again.

    Args:
        training_set: the same on all ranks; both classes present in the validation split.
        ranks: collective.
        device: of the classifier.
        on_partition: called after each partition.

    Attributes:
        curves: of the last measurement, one per horizon; on rank 0 only.
    """

    def __init__(
        self,
        training_set: TrainingSet,
        ranks: Ranks,
        device: torch.device,
        on_partition: Callable[[], None],
    ) -> None:
        longest_first = sorted(training_set.validation, key=lambda part: -len(part.distances))
        self._share = longest_first[ranks.rank :: ranks.world_size]
        self._ranks, self._on_partition = ranks, on_partition
        self._horizons = torch.tensor(training_set.horizons, dtype=torch.int16)
        self._device = device
        self.curves: list[ScoreCurve] = []

    def measure(self, classifier: FrameClassifier, loss: FrameLoss) -> ValidationResult:
        """Score this rank's share of the partitions and measure all ranks' scores together.

        Args:
            classifier: equal on all ranks.
            loss: of the training.

        Returns:
            The same numbers on all ranks: rank 0 computes them.

        Raises:
            TrainingError: on all ranks, if one meets NaN or infinite features.
        """
        scored, problem = [], None
        for partition in self._share:
            try:
                scored.append(self._score(classifier, loss, partition))
            except TrainingError as error:
                problem = f"partition {partition.partition_id!r}: {error}"
                break
            self._on_partition()
        self._ranks.raise_any(problem)
        shares = self._ranks.gather(_join(scored, len(self._horizons)))
        result = self._measure(shares) if self._ranks.rank == 0 else None
        result = self._ranks.from_main(result)
        assert result is not None
        return result

    def _score(
        self, classifier: FrameClassifier, loss: FrameLoss, partition: FramePartition
    ) -> _Share:
        logits = compute_logits(classifier, partition.load_features())  # [T, H]
        is_positive = is_positive_within(torch.from_numpy(partition.distances), self._horizons)
        losses, _ = loss(torch.from_numpy(logits).to(self._device), is_positive.to(self._device))
        return _Share(losses.double().cpu().numpy(), to_scores(logits), is_positive.numpy())

    def _measure(self, shares: Sequence[_Share]) -> ValidationResult:
        whole = _join(shares, len(self._horizons))
        self.curves = [
            score_curve(is_positive, scores)
            for is_positive, scores in zip(whole.is_positive.T, whole.scores.T, strict=True)
        ]
        # Never None: a split of one class is refused before.
        return ValidationResult(
            loss=tuple((whole.loss / len(whole.scores)).tolist()),
            auprc=tuple(curve.auprc() or 0.0 for curve in self.curves),
            auroc=tuple(curve.auroc() or 0.0 for curve in self.curves),
        )


def _join(shares: Sequence[_Share], num_horizons: int) -> _Share:
    nothing = np.empty((0, num_horizons))
    return _Share(
        np.sum([np.zeros(num_horizons), *(share.loss for share in shares)], axis=0),
        np.concatenate([nothing.astype(np.float32), *(share.scores for share in shares)]),
        np.concatenate([nothing.astype(np.bool_), *(share.is_positive for share in shares)]),
    )
