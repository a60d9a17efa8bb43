"""The kinds of baseline features: what each is, and how wide."""

from typing import Any, Literal, get_args

from acoustic_event_prediction.baselines.levels import FLOOR_DB, VOICE_FLOOR_DB

BaselineKind = Literal["energy", "log_mel_1", "log_mel_8", "mimi_latents"]
KINDS: tuple[BaselineKind, ...] = get_args(BaselineKind)

MEAN_FRAMES = 8  # over which `energy` takes means
LOG_MEL_FRAMES: dict[BaselineKind, int] = {"log_mel_1": 1, "log_mel_8": 8}
MEL_BANDS = 40
MEL_WINDOW_MILLISECONDS = 25
HOP_MILLISECONDS = 10


def stream_dim(kind: BaselineKind, latent_dim: int) -> int:
    """Return d, the numbers that a kind gives for one stream and frame.

    Args:
        kind: of the features.
        latent_dim: width of Mimi's latent.

    >>> stream_dim("energy", 512), stream_dim("log_mel_8", 512), stream_dim("mimi_latents", 512)
    (3, 80, 512)
    """
    match kind:
        case "energy":
            return 3
        case "log_mel_1" | "log_mel_8":
            return 2 * MEL_BANDS
        case "mimi_latents":
            return latent_dim


def feature_dim(kind: BaselineKind, latent_dim: int) -> int:
    """Return D, the width of a feature: the system's stream, then the user's."""
    return 2 * stream_dim(kind, latent_dim)


def describe_kind(kind: BaselineKind) -> dict[str, Any]:
    """Return, JSON-able, what the numbers of a kind are; a change makes stored features outdated.

    Args:
        kind: of the features.
    """
    match kind:
        case "energy":
            return {
                "numbers": ["level_db", "mean_level_db", "voice_activity_share"],
                "mean_frames": MEAN_FRAMES,
                "window_milliseconds": HOP_MILLISECONDS,
                "floor_db": FLOOR_DB,
                "voice_floor_db": VOICE_FLOOR_DB,
            }
        case "log_mel_1" | "log_mel_8":
            return {
                "numbers": ["mean_db", "standard_deviation_db"],
                "frames": LOG_MEL_FRAMES[kind],
                "bands": MEL_BANDS,
                "window_milliseconds": MEL_WINDOW_MILLISECONDS,
                "hop_milliseconds": HOP_MILLISECONDS,
                "floor_db": FLOOR_DB,
            }
        case "mimi_latents":
            return {"numbers": ["latent before quantisation"], "frames": 1}
