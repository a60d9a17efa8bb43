"""What each kind measures, by examples worked by hand; row f is of the frames up to f."""

import math

import pytest
import torch

from acoustic_event_prediction.baselines.frame_functions import Energy, LogMel, MimiLatents
from acoustic_event_prediction.baselines.levels import FLOOR_DB, History
from acoustic_event_prediction.speech_lm.checkpoint import SpeechLM
from tests.speech_lm.test_features import voices

CPU = torch.device("cpu")


def energy(waveform: torch.Tensor) -> torch.Tensor:
    """[N] -> [F, 3]."""
    function = Energy(1, CPU)
    function.begin()
    return function.push(waveform[None])["energy"][0]


def log_mel(waveform: torch.Tensor) -> torch.Tensor:
    """[N] -> log_mel_1, [F, 80]."""
    function = LogMel(["log_mel_1"], 1, CPU)
    function.begin()
    return function.push(waveform[None])["log_mel_1"][0]


def tone(hertz: float, amplitude: float, num_samples: int) -> torch.Tensor:
    return amplitude * torch.sin(2 * math.pi * hertz * torch.arange(num_samples) / 24_000)


def test_energy_is_the_level_its_mean_over_8_frames_and_the_share_of_loud_windows() -> None:
    waveform = torch.zeros(10 * 1920)
    waveform[1920 : 2 * 1920] = 0.1  # frame 1: mean square 0.01, -20 dB
    waveform[2 * 1920 : 2 * 1920 + 960] = 0.1  # frame 2: half as much, -23.01 dB
    found = energy(waveform)
    half = 10 * math.log10(0.005)
    means = [-100, (-20 - 7 * 100) / 8, (-20 + half - 6 * 100) / 8]
    expected = [
        [-100, means[0], 0],
        [-20, means[1], 8 / 64],
        [half, means[2], 12 / 64],
        *[[-100, means[2], 12 / 64]] * 6,  # frame 1 is among the last 8 until frame 8
        [-100, (half - 700) / 8, 4 / 64],
    ]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-4)


def test_a_quiet_window_is_no_voice() -> None:
    # -54 dB and -46 dB, with the floor at -50 dB.
    assert energy(torch.full((1920,), 0.002))[0, 2] == 0
    assert energy(torch.full((1920,), 0.005))[0, 2] == 1 / 8


def test_a_tone_is_loudest_in_its_band_and_ten_times_the_amplitude_is_20_db() -> None:
    # 41 equal steps of the mel scale up to 12 kHz; band 13's middle is 14 steps up: 1439 Hz.
    top = 2595 * math.log10(1 + 12_000 / 700)
    middle = 700 * (10 ** (14 * top / 41 / 2595) - 1)
    quiet, loud = (log_mel(tone(middle, amplitude, 3 * 1920)) for amplitude in (0.01, 0.1))
    assert loud[1:, :40].argmax(dim=1).tolist() == [13, 13]
    torch.testing.assert_close(loud[1, 12:15] - quiet[1, 12:15], torch.full((3,), 20.0))


def test_a_steady_sound_has_no_deviation_and_one_that_begins_has() -> None:
    found = log_mel(tone(1500, 0.1, 3 * 1920))
    # 1500 Hz makes whole periods in a hop of 10 ms: all windows hold the same.
    assert found[0, 40 + 13] > 1
    assert found[1:, 40 + 13].max() < 0.01


def test_8_frames_are_those_of_which_single_frames_are_the_parts() -> None:
    function = LogMel(["log_mel_1", "log_mel_8"], 1, CPU)
    function.begin()
    found = function.push(voices(12 * 1920, seed=1)[:1])
    means = found["log_mel_1"][0, :, :40]
    torch.testing.assert_close(found["log_mel_8"][0, 7:, :40], means.unfold(0, 8, 1).mean(-1))
    before = torch.full((5, 40), FLOOR_DB)
    torch.testing.assert_close(
        found["log_mel_8"][0, 2, :40], torch.cat([before, means[:3]]).mean(0)
    )


def test_a_click_in_the_last_sample_of_a_frame_is_heard_in_it() -> None:
    waveform = torch.zeros(3 * 1920)
    waveform[1920 - 100] = 1
    found = log_mel(waveform)
    assert (found[0, :40] > FLOOR_DB).all()
    # A window is 600 samples long: that of the next frame's first 500 samples hears the click.
    assert (found[1, :40] > FLOOR_DB).all()
    assert (found[2, :40] == FLOOR_DB).all()


def test_latents_are_those_of_mimi_over_the_whole_recording(short_context_lm: SpeechLM) -> None:
    mimi = short_context_lm.mimi
    waveforms = voices(150 * 1920, seed=1)
    with torch.no_grad():
        expected = mimi.encode_to_latent(waveforms[:, None], quantize=False)
    function = MimiLatents(mimi, 2, block_frames=70, total_frames=150, device=CPU)
    function.begin()
    try:
        blocks = torch.split(waveforms, 70 * 1920, dim=-1)
        with torch.no_grad():
            found = [function.push(block)["mimi_latents"] for block in blocks]
    finally:
        function.close()
    torch.testing.assert_close(
        torch.cat(found, dim=1), expected.transpose(1, 2), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("length", [0, 3])
def test_a_history_puts_the_last_entries_before_each_block(length: int) -> None:
    history = History(torch.zeros(1, length))
    first, second = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]])
    assert history.extend(first)[0].tolist() == [0.0] * length + [1, 2]
    assert history.extend(second)[0].tolist() == [*[0.0, 1.0, 2.0][:length], 3]
