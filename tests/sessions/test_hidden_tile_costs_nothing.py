"""What nobody looks at is not sent, a small tile is sent a small picture, what nobody watches rests."""

from __future__ import annotations

from media.congestion.allocator import Reason
from tests.helpers.line import Line
from tests.sessions.lines import consultation


def test_the_tile_decides() -> None:
    here = consultation(Line(15))
    here.call.run(4)
    assert here.picture.heights(2, 4) == {720}
    here.call.router.view(here.expert.transport, here.field, 200)
    here.call.run(5)
    assert here.picture.heights(6, 9) == {180}
    assert here.told()[-1][1:] == (Reason.SIZE, 180)
    # of the three encodings the publisher sends the one that is watched
    assert here.call.wanted[-1][1].active == (True, False, False)
    here.call.router.view(here.expert.transport, here.field, 0)
    sent = here.line.sent
    here.call.run(4)
    assert here.picture.between(9.2, 13) == []
    # sound and reports
    assert here.line.sent - sent < 4 * 50 + 60
    assert here.call.wanted[-1][1].active == (False, False, False)
    here.call.router.view(here.expert.transport, here.field, None)
    here.call.run(4)
    assert here.picture.heights(16, 17) == {720}
