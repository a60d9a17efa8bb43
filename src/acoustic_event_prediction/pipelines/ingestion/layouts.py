"""Which layout the corpus is in."""

from pathlib import Path

from acoustic_event_prediction.corpus.layouts import hub, podcastfillers, table
from acoustic_event_prediction.corpus.raw import RawCorpus
from acoustic_event_prediction.corpus_params import IngestionParams


def find_corpus(root: Path, params: IngestionParams) -> RawCorpus:
    """Return the index of a corpus in the layout `params.layout`.

    Raises:
        CorpusError: there is no corpus of this layout; says what is expected and how to get it.
    """
    match params.layout:
        case "podcastfillers":
            return podcastfillers.find_corpus(root)
        case "table":
            return table.find_corpus(root, params.table)
        case "podcastfillers_hub":
            return hub.find_corpus(root, Path(params.hub.annotations))
