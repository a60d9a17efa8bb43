"""Features the slow way, from the model's definition: whole files, one pass, all of Moshi."""

import torch
from moshi.models.compression import MimiModel
from moshi.models.lm import LMModel
from moshi.models.lm_utils import _delay_sequence

from acoustic_event_prediction.speech_lm.checkpoint_files import Checkpoint


class Oracle:
    """The complete models as moshi itself loads them."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        info = checkpoint.info()
        self.mimi: MimiModel = info.get_mimi()
        self.lm: LMModel = info.get_moshi(dtype=torch.float32)

    @torch.no_grad()
    def codes(self, waveform: torch.Tensor) -> torch.Tensor:
        """Waveform [N] -> codes [8, T]."""
        return self.mimi.encode(waveform[None, None])[0]

    @torch.no_grad()
    def hidden(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes [17, T] -> hidden states [T, D]."""
        initial = self.lm._get_initial_token()
        delayed = _delay_sequence(self.lm.delays, codes[None], initial)
        sequence = torch.cat([initial, delayed], dim=2)[:, :, :-1]
        return self.lm.forward_text(sequence)[0][0]

    def features(
        self, *, system: torch.Tensor, user: torch.Tensor, text: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Waveforms [N] of the two voices, text tokens [T] -> features [T, D], in Moshi's order."""
        system_codes, user_codes = self.codes(system), self.codes(user)
        if text is None:
            text = torch.full((user_codes.shape[1],), self.lm.text_padding_token_id)
        return self.hidden(torch.cat([text[None], system_codes, user_codes]))
