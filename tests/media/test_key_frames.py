"""Requests for key frames, coalesced."""

from __future__ import annotations

from media.key_frames import INTERVAL, KeyFrameRequests


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
