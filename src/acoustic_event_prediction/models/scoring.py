"""Scores of whole episodes, in blocks of rows."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from acoustic_event_prediction.errors import TrainingError
from acoustic_event_prediction.frame_arrays import Array
from acoustic_event_prediction.models.classifier import FrameClassifier
from acoustic_event_prediction.shuffled_frames import to_tensor

# Of float32 features: within the cache of a CPU.
_BLOCK_BYTES = 8 * 2**20


def iterate_blocks(
    features: Array | torch.Tensor, device: torch.device
) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the first row of each block and its rows, float32 on the device.

    Memory stays bounded however long T is: a memory-mapped array is read a few MB at a time. A
    block lies where the last one lay.

    Args:
        features: [T, D], float16, bfloat16 or float32; an array, or a tensor.
        device: where to.
    """
    num_rows = max(1, _BLOCK_BYTES // (4 * features.shape[1]))
    memory = torch.empty((min(num_rows, len(features)), features.shape[1]), device=device)
    for start in range(0, len(features), num_rows):
        rows = features[start : start + num_rows]
        block = rows if isinstance(rows, torch.Tensor) else to_tensor(np.array(rows))
        yield start, memory[: len(block)].copy_(block)


@torch.inference_mode()
def compute_logits(
    classifier: FrameClassifier, features: Array | torch.Tensor
) -> npt.NDArray[np.float32]:
    """Return float32 logits [T, H] of features [T, D], on the classifier's device.

    Args:
        classifier: left in evaluation mode.
        features: float16, bfloat16 or float32; a memory map is read block by block.

    Raises:
        TrainingError: a feature is NaN or infinite, or so large that its logit is.
        ValueError: `features` has another shape or dtype.
    """
    num_features = classifier.num_features
    if features.ndim != 2 or features.shape[1] != num_features:  # noqa: PLR2004  (frames, features)
        raise ValueError(
            f"the classifier takes features [T, {num_features}], "
            f"got an array {tuple(features.shape)}"
        )
    classifier.eval()
    logits = torch.empty((len(features), classifier.num_horizons), device=classifier.bias.device)
    for start, block in iterate_blocks(features, logits.device):
        logits[start : start + len(block)] = classifier(block)
    is_finite = torch.isfinite(logits).all(dim=1)
    if not is_finite.all():
        raise TrainingError(_explain(features, int(is_finite.int().argmin())))
    return logits.cpu().numpy()


def _explain(features: Array | torch.Tensor, frame: int) -> str:
    row = features[frame]
    values = row if isinstance(row, torch.Tensor) else to_tensor(np.array(row))
    if torch.isfinite(values).all():
        return (
            f"the classifier has no finite score for frame {frame}, whose features are finite: its "
            "weights have overflowed; train again with a lower training.learning_rate"
        )
    return (
        f"the features of frame {frame} are NaN or infinite; extract them again, with "
        "feature_extraction.dtype bfloat16 or float32 if they overflow float16"
    )


def to_scores(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the probabilities, float32, that logits of any shape stand for."""
    return torch.from_numpy(logits).sigmoid().numpy()
