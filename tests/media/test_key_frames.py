"""Requests for key frames, coalesced."""

from __future__ import annotations

from media.key_frames import ATTEMPTS, INTERVAL, KeyFrameRequests


def test_nothing_is_due_that_nobody_wants() -> None:
    requests = KeyFrameRequests()
    assert not requests.due(10.0)
    assert requests.get_timer() is None


def test_many_wishes_are_one_request_an_interval() -> None:
    requests = KeyFrameRequests()
    for _ in range(3):
        requests.want()
    assert [requests.due(10.0), requests.due(10.0)] == [True, False]
    requests.want()
    assert requests.get_timer() == 10.0 + INTERVAL
    assert not requests.due(10.0 + INTERVAL - 0.001)
    assert requests.due(10.0 + INTERVAL)


def test_a_key_frame_that_came_meanwhile_answers() -> None:
    requests = KeyFrameRequests()
    requests.want()
    requests.arrived()
    assert not requests.due(10.0)
    assert requests.get_timer() is None


def test_a_request_that_is_not_answered_is_repeated_for_a_while() -> None:
    """It may have been lost, or have come too early, and who waits for a first picture does not complain."""
    requests = KeyFrameRequests()
    requests.want()
    asked = [second for second in range(3 * ATTEMPTS) if requests.due(float(second))]
    assert asked == list(range(ATTEMPTS))
    assert requests.get_timer() is None
    requests.want()
    assert requests.due(100.0)
    requests.arrived()
    assert requests.get_timer() is None
