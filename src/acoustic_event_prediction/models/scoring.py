"""Scores of whole episodes, in blocks of rows."""

import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.shuffled_frames import to_tensor

_BLOCK_BYTES = 16 * 2**20


@torch.inference_mode()
def compute_logits(classifier: FrameClassifier, features: Array) -> npt.NDArray[np.float32]:
    """Return float32 logits [T, H] of features [T, D], on the classifier's device.

    Memory stays bounded however long T is: a memory-mapped array is read a few MB at a time.

    Args:
        classifier: left in evaluation mode.
        features: float16, bfloat16 or float32.

    Raises:
        TrainingError: a feature is NaN or infinite, or so large that its logit is.
        ValueError: `features` has another shape or dtype.
    """
    num_features = classifier.num_features
    if features.ndim != 2 or features.shape[1] != num_features:  # noqa: PLR2004  (frames, features)
        raise ValueError(
            f"the classifier takes features [T, {num_features}], got an array {features.shape}"
        )
    classifier.eval()
    device = classifier.output.weight.device
    logits = np.empty((len(features), classifier.num_horizons), np.float32)
    block_rows = max(1, _BLOCK_BYTES // (4 * num_features))
    for start in range(0, len(features), block_rows):
        block = to_tensor(np.array(features[start : start + block_rows])).to(device)
        logits[start : start + block_rows] = classifier(block.float()).cpu().numpy()
    if not np.isfinite(logits).all():
        frame = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
        raise TrainingError(
            f"the features of frame {frame} are NaN, infinite or too large; "
            "extract them again, with feature_extraction.dtype bfloat16 or float32 if they overflow"
        )
    return logits


def to_scores(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the probabilities, float32, that logits of any shape stand for."""
    return torch.from_numpy(logits).sigmoid().numpy()
