"""Which clips of a stream of videos a training has seen, and which its workers have seen together."""

from s2v_ray.training.data.stream import StreamPosition, common_position


def test_what_workers_have_seen_together_starts_where_the_slowest_has_clips_left():
    start = StreamPosition(7, ((7, 2), (8, 0)))  # clips 0 and 1 of visit 7 are left, and those of visit 8 but the first
    first = start.after([(7, 0), (8, 1)], 9)
    second = start.after([(7, 1)], 8).after([(9, 0)], 8)
    assert (first.visit, second.visit) == (9, 8)
    both = common_position([first, second])
    assert both == StreamPosition(8, ((8, 0), (8, 1), (9, 0)))
    assert common_position([both, both]) == both
    assert common_position([both.after([(8, 2)], 9), both.after([], 10)]) == StreamPosition(9, ((9, 0),))
