"""Which events are laughter, however a corpus spells it."""

import pandas as pd

_SPELLINGS = ("laughter", "laugh", "laughing")
_AROUND = " \t[](){}<>"


def is_laughter(labels: "pd.Series[str]") -> "pd.Series[bool]":
    """Return which labels mean laughter: any case, with or without brackets.

    Args:
        labels: any texts.

    >>> is_laughter(pd.Series(["Laughter", "[laugh]", "Breath", "Slaughter"])).tolist()
    [True, True, False, False]
    """
    return labels.astype("str").str.strip(_AROUND).str.casefold().isin(_SPELLINGS)
