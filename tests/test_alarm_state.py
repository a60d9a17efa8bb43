from hypothesis import given
from hypothesis import strategies as st

from acoustic_event_prediction.alarm_state import AlarmState
from acoustic_event_prediction.alarms import AlarmRule, find_alarms

_SECONDS = st.integers(0, 8).map(lambda frames: frames * 0.08) | st.floats(0, 0.7)
_RULES = st.builds(AlarmRule, st.sampled_from([0.25, 0.5]), _SECONDS, _SECONDS, _SECONDS)


@given(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.9]), min_size=1, max_size=60), _RULES)
def test_alarms_come_in_the_frames_that_decide_them(scores: list[float], rule: AlarmRule) -> None:
    state = AlarmState(rule)
    raised = [frame for frame, score in enumerate(scores) if state.push(score)]
    assert (
        raised
        == find_alarms(scores, [False] * len(scores), [0, len(scores)], rule).decided.tolist()
    )
