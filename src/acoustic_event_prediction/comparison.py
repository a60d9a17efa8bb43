"""What differs between two sets of named values, for messages that show it."""

from collections.abc import Mapping
from typing import Any


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = ""
) -> dict[str, tuple[Any, Any]]:
    """Return the two values of every name that differs, by dotted names, sorted.

    >>> differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}})
    {'a.c': (2, 3)}
    """
    found: dict[str, tuple[Any, Any]] = {}
    for name in sorted({*before, *now}):
        old, new = before.get(name), now.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found |= differences(old, new, f"{prefix}{name}.")
        elif old != new:
            found[f"{prefix}{name}"] = (old, new)
    return found


def describe_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a phrase for each name that differs.

    >>> describe_differences({"dtype": "float16"}, {"dtype": "float32"})
    ["dtype was 'float16' and is 'float32'"]
    """
    return [
        f"{name} was {old!r} and is {new!r}"
        for name, (old, new) in differences(before, now).items()
    ]
