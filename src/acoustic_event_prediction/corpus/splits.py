"""Which episode is in which split, where the corpus itself does not say: drawn by a seed."""

import hashlib
from collections.abc import Mapping, Sequence

from acoustic_event_prediction.errors import CorpusError


def draw_splits(
    units: Mapping[str, Sequence[str]], fractions: Mapping[str, float], *, seed: int
) -> dict[str, str]:
    """Return the split of each episode; the episodes of a unit stay together.

    Units are dealt in order of size, the largest first, each to the split that lacks most; units
    of one size in an order that depends on the seed and their names alone. No split that has a
    fraction stays empty.

    Args:
        units: names of the episodes by unit, a show or a single episode.
        fractions: of the episodes, by split; their sum need not be 1.
        seed: of the order.

    Raises:
        CorpusError: there are fewer units than splits.
    """
    wanted = [split for split, fraction in fractions.items() if fraction > 0]
    if len(units) < len(wanted):
        raise CorpusError(
            f"{len(units)} can't be divided among {', '.join(wanted)}: "
            f"that needs at least {len(wanted)}"
        )
    scale = sum(map(len, units.values())) / sum(fractions[split] for split in wanted)
    lacking = {split: fractions[split] * scale for split in wanted}
    empty = set(wanted)
    splits: dict[str, str] = {}
    ordered = sorted(units, key=lambda name: (-len(units[name]), _draw(name, seed)))
    for place, unit in enumerate(ordered):
        # As many units are left as splits are empty: each gets one.
        must_fill = len(units) - place <= len(empty)
        split = max((s for s in wanted if not must_fill or s in empty), key=lacking.__getitem__)
        lacking[split] -= len(units[unit])
        empty.discard(split)
        splits |= dict.fromkeys(units[unit], split)
    return splits


def _draw(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()
