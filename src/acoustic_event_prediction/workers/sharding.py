"""Work for several ranks, balanced by its size and not by its count."""

import heapq
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def balance(items: Sequence[T], sizes: Sequence[float], num_shards: int) -> list[list[T]]:
    """Return one list per rank: the largest item first, each to the rank that has least so far.

    The largest sum is at most 4/3 of the best possible one (R. L. Graham, "Bounds on
    multiprocessing timing anomalies", SIAM J. Appl. Math. 17, 1969).

    >>> balance("abcd", [5, 3, 3, 2], 2)
    [['a', 'd'], ['b', 'c']]
    """
    shards: list[list[T]] = [[] for _ in range(num_shards)]
    loads = [(0.0, rank) for rank in range(num_shards)]
    for index in sorted(range(len(items)), key=lambda index: -sizes[index]):
        load, rank = heapq.heappop(loads)
        shards[rank].append(items[index])
        heapq.heappush(loads, (load + sizes[index], rank))
    return shards
