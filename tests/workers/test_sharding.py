from itertools import chain

from acoustic_event_prediction.workers.sharding import balance


def test_fifteen_uneven_episodes_spread_over_eight_ranks() -> None:
    # By count, with the remainder on the last rank, one of the eight would have eight episodes.
    minutes = [90, 75, 60, 60, 55, 50, 45, 45, 40, 40, 30, 30, 20, 15, 10]
    shards = balance(minutes, minutes, 8)
    loads = [sum(shard) for shard in shards]
    assert sorted(chain(*shards)) == sorted(minutes)
    assert max(loads) == 90  # the longest episode: nothing can do better
    assert min(loads) >= 75


def test_more_ranks_than_episodes_leave_some_without_work() -> None:
    assert balance(["a"], [1], 3) == [["a"], [], []]


def test_nothing_to_do_gives_empty_shards() -> None:
    assert balance([], [], 2) == [[], []]
