"""What a predictor was trained with and a recording lacks."""

from collections.abc import Sequence

from acoustic_event_prediction.corpus.records import Source
from acoustic_event_prediction.prediction.requirements import Requirements

# By kind: what is said of recordings that lack it, and what to do.
MISSING = {
    "turns": (
        "nobody says who speaks when, so all is one stream; the predictor was trained with a "
        "stream for each speaker",
        "give turns (prediction.turns=<RTTM>), tracks (prediction.tracks=<folder>), or a recording "
        "with one speaker per channel; without, no words are read either",
    ),
    "words": (
        "what the other speakers say is not known; the predictor was trained with words",
        "give a transcript (prediction.words=<CSV or JSON>) with turns, or with a column speaker "
        "that names the streams' speakers, or train a predictor without "
        "(feature_extraction.text=none)",
    ),
    "laughs": (
        "laughs are heard; the predictor was trained on streams in which they are silenced",
        "give the laughs (prediction.laughs=<label file>), or train a predictor that hears them "
        "(streams.mask_laughter=none), as a live system does",
    ),
}


def find_missing(
    requirements: Requirements,
    source: Source,
    *,
    has_turns: bool,
    has_words: bool,
    has_laughs: bool,
) -> tuple[str, ...]:
    """Return the kinds of `MISSING` that the predictor was trained with and that are not there.

    Args:
        requirements: of the predictor.
        source: how the streams are made.
        has_turns: it is known who speaks when, be it nobody.
        has_words: words with their speakers are known, or nobody but the user speaks.
        has_laughs: it is known when laughs are.
    """
    needed = {
        "turns": source == "mono" and requirements.hears_speakers and not has_turns,
        "words": source != "mono" and requirements.settings.text != "none" and not has_words,
        "laughs": requirements.streams.mask_laughter != "none" and not has_laughs,
    }
    return tuple(kind for kind, is_missing in needed.items() if is_missing)


def missing_notes(missing: Sequence[str]) -> list[str]:
    """Return what a recording lacks and what to do, as sentences for its page."""
    pairs = [MISSING[kind] for kind in missing]
    return [f"{problem[0].upper()}{problem[1:]}. To do: {remedy}." for problem, remedy in pairs]
