"""A tiny Mimi whose codes carry information: fitted to band energies, never to labels."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from moshi.models import loaders
from moshi.models.compression import MimiModel
from sklearn.cluster import MiniBatchKMeans
from torch import Tensor, nn

logger = logging.getLogger(__name__)

NUM_CODEBOOKS = 8
CODEBOOK_SIZE = 256
CODE_DIMENSION = 32
_FRAME_SIZE = 1920
_LATENT_DIMENSION = 64
_NUM_FILTERS = 4
_NUM_BANDS = 24
_NUM_LAGS = 4  # frames, the present one included: the codes remember 0.3 s
_LAG_WEIGHT = 0.8  # of each frame relative to the one after it
_SILENT_BAND_ENERGY = 1e-3
_CROP_FRAMES = 40
_WARM_UP_FRAMES = 8  # at the start of a crop the network has not seen enough to be judged
_BATCH_SIZE = 8
_LEARNING_RATE = 3e-3
_MUTE_PROBABILITY = 0.5
_MUTE_INSIDE_PROBABILITY = 0.5  # else outside
_NUM_CODEBOOK_CROPS = 400
_CELL = 0.5  # standard deviations; nearer than about that counts as equal


def mimi_config() -> dict[str, Any]:
    """Return the configuration: Mimi's own, narrower, with the same frame rate and context."""
    return {
        "sample_rate": 24_000,
        "channels": 1,
        "frame_rate": 12.5,
        "seanet": {
            **loaders._seanet_kwargs,
            "dimension": _LATENT_DIMENSION,
            "n_filters": _NUM_FILTERS,
        },
        "quantizer": {
            "dimension": CODE_DIMENSION,
            "n_q": NUM_CODEBOOKS,
            "bins": CODEBOOK_SIZE,
            "input_dimension": _LATENT_DIMENSION,
            "output_dimension": _LATENT_DIMENSION,
        },
        "transformer": {
            **loaders._transformer_kwargs,
            "d_model": _LATENT_DIMENSION,
            "num_heads": 4,
            "num_layers": 2,
            "dim_feedforward": 2 * _LATENT_DIMENSION,
            "input_dimension": _LATENT_DIMENSION,
            "output_dimensions": [_LATENT_DIMENSION],
        },
    }


def build_mimi(
    waveforms: Sequence[npt.NDArray[np.float32]], *, num_steps: int, seed: int
) -> MimiModel:
    """Return a Mimi fitted to the waveforms.

    The encoder is scaled layer by layer to unit variance and then regresses the energies of the
    last frames in mel bands through a head that is thrown away. The codebooks are k-means centres
    of the principal components of that head's output, so that near codes mean similar sounds. The
    decoder stays random.

    Args:
        waveforms: float32 [N] each, 24 kHz; training episodes only.
        num_steps: optimisation steps.
        seed: of weights, crops and clusters; PyTorch's global generator is left as it was.

    Returns:
        The model in evaluation mode, with 8 codebooks.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mimi = loaders.get_mimi(None, mimi_config(), num_codebooks=NUM_CODEBOOKS)
        crops = _Crops(waveforms, np.random.default_rng(seed))
        _scale_convolutions(mimi, crops.draw(4))
        head = _fit_encoder(mimi, crops, num_steps)
    for parameter in mimi.parameters():
        parameter.requires_grad_(False)
    _set_codebooks(mimi, head, crops, seed)
    return mimi


class _Crops:
    """Random excerpts of recordings, partly muted as the streams of a conversation are."""

    def __init__(
        self, waveforms: Sequence[npt.NDArray[np.float32]], rng: np.random.Generator
    ) -> None:
        self._waveforms = waveforms
        self._rng = rng
        self._num_samples = _CROP_FRAMES * _FRAME_SIZE

    def draw(self, num_crops: int) -> Tensor:
        """Return float32 [num_crops, 1, N]."""
        return torch.from_numpy(np.stack([self._crop() for _ in range(num_crops)])[:, None])

    def _crop(self) -> npt.NDArray[np.float32]:
        waveform = self._waveforms[int(self._rng.integers(len(self._waveforms)))]
        start = int(self._rng.integers(len(waveform) - self._num_samples))
        crop = waveform[start : start + self._num_samples].copy()
        if self._rng.random() < _MUTE_PROBABILITY:
            first, last = sorted(self._rng.integers(0, self._num_samples, 2))
            if self._rng.random() < _MUTE_INSIDE_PROBABILITY:
                crop[first:last] = 0
            else:
                crop[:first] = 0
                crop[last:] = 0
        return crop


def _band_energies(waveforms: Tensor) -> Tensor:
    """Return log energies in mel bands of each frame and those before: [B, T, lags * bands]."""
    frames = waveforms[:, 0].unfold(-1, _FRAME_SIZE, _FRAME_SIZE)  # [B, T, N]
    power = torch.fft.rfft(frames * torch.hann_window(_FRAME_SIZE)).abs() ** 2
    hertz = torch.linspace(0, loaders.SAMPLE_RATE / 2, power.shape[-1])
    mel = 2595 * torch.log10(1 + hertz / 700)
    edges = torch.linspace(0, float(mel[-1]), _NUM_BANDS + 2)
    rising = (mel[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0)  # [F, bands]
    energies = torch.log(power @ filters + _SILENT_BAND_ENERGY)
    lagged = [
        nn.functional.pad(energies, (0, 0, lag, 0))[:, : energies.shape[1]]
        for lag in range(_NUM_LAGS)
    ]
    return torch.cat(lagged, -1)


def _scale_convolutions(mimi: MimiModel, waveforms: Tensor) -> None:
    """Give the output of each convolution of the encoder unit variance, first to last."""
    assert mimi.downsample is not None
    modules = [*mimi.encoder.modules(), *mimi.downsample.modules()]
    for module in modules:
        if not isinstance(module, nn.Conv1d):
            continue
        outputs: list[Tensor] = []
        hook = module.register_forward_hook(lambda _, __, output, seen=outputs: seen.append(output))
        with torch.no_grad():
            mimi._encode_to_unquantized_latent(waveforms)
            module.weight.div_(outputs[0].std())
            if module.bias is not None:
                module.bias.zero_()
        hook.remove()


def _fit_encoder(mimi: MimiModel, crops: _Crops, num_steps: int) -> nn.Linear:
    """Regress the band energies from the latent, and return the head."""
    head = nn.Linear(_LATENT_DIMENSION, _NUM_LAGS * _NUM_BANDS)
    trained = ("encoder.", "encoder_transformer.", "downsample.")
    parameters = [p for name, p in mimi.named_parameters() if name.startswith(trained)]
    optimizer = torch.optim.AdamW([*parameters, *head.parameters()], _LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LEARNING_RATE, num_steps)
    reference = _band_energies(crops.draw(32))[:, _WARM_UP_FRAMES:]
    mean, deviation = reference.mean((0, 1)), reference.std((0, 1))
    weight = torch.repeat_interleave(_LAG_WEIGHT ** torch.arange(_NUM_LAGS), _NUM_BANDS)
    # The gradients of muted stretches are denormal numbers, on which a CPU is ten times slower.
    torch.set_flush_denormal(True)
    for step in range(num_steps):
        batch = crops.draw(_BATCH_SIZE)
        target = (_band_energies(batch) - mean) / deviation
        latent = mimi._encode_to_unquantized_latent(batch).transpose(1, 2)  # [B, T, D]
        squared = weight * (head(latent) - target)[:, _WARM_UP_FRAMES:] ** 2
        loss = squared.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0 or step == num_steps - 1:
            logger.info("codec step %d of %d: squared error %.3f", step, num_steps, loss.item())
    torch.set_flush_denormal(False)
    with torch.no_grad():
        head.weight.mul_(weight[:, None].sqrt())
    return head


@torch.no_grad()
def _set_codebooks(mimi: MimiModel, head: nn.Linear, crops: _Crops, seed: int) -> None:
    """Fill both quantisers with k-means centres, each level on what the levels before leave."""
    batches = [
        mimi._encode_to_unquantized_latent(crops.draw(16))[..., _WARM_UP_FRAMES:]
        for _ in range(_NUM_CODEBOOK_CROPS // 16)
    ]
    latents = torch.cat(batches).transpose(1, 2).flatten(0, 1)  # [frames, D]
    energies = latents @ head.weight.T
    _, _, components = torch.linalg.svd(energies - energies.mean(0), full_matrices=False)
    projection = components[:CODE_DIMENSION] @ head.weight  # [code, D]
    projection /= (latents @ projection.T).std()
    quantizers: tuple[Any, ...] = (mimi.quantizer.rvq_first, mimi.quantizer.rvq_rest)
    for quantizer in quantizers:
        quantizer.input_proj.weight.copy_(projection[..., None])
        residual = latents @ projection.T  # [frames, code]
        for level, layer in enumerate(quantizer.vq.layers):
            clusters = MiniBatchKMeans(
                CODEBOOK_SIZE, batch_size=4096, n_init=1, random_state=seed + level
            ).fit(_distinct(residual).numpy())
            centres = torch.from_numpy(clusters.cluster_centers_)
            codebook = layer._codebook
            codebook.embedding_sum.copy_(centres)
            codebook.cluster_usage.fill_(1)
            codebook._initialized.fill_(1)
            codebook._embedding = None
            residual = (
                residual - centres[torch.from_numpy(clusters.predict(residual.numpy())).long()]
            )


def _distinct(points: Tensor) -> Tensor:
    """Return one point [D] of each that are almost equal: [N, D] to [n, D].

    Half of a conversation's frames are silent. Left in, they draw centres so close together that
    rounding would decide between their codes.
    """
    cells = (points / (_CELL * points.std())).round()
    _, first = np.unique(cells.numpy(), axis=0, return_index=True)
    return points[torch.from_numpy(np.sort(first))]
