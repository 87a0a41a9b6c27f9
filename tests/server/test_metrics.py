"""What /metrics says of the receivers' lines."""

from __future__ import annotations

from collections import Counter

from media.congestion.allocator import Reason
from media.delivery import LineState, Sent
from server.metrics import Metrics, Snapshot
from tests.helpers.served import scraped


def rendered(*lines: LineState, probes: int = 0) -> str:
    snapshot = Snapshot(
        shards=[],
        rooms=1,
        participants={},
        recordings=0,
        recordings_interrupted=0,
        recorder_left_out=0,
        backlog_bytes=0,
        kept_bytes=0,
        ephemeral_dropped=0,
        lines=lines,
        probes=probes,
    )
    return Metrics(lambda: snapshot).render().decode()


def test_what_lines_carry_and_what_is_sent_over_them() -> None:
    wide = LineState(30_000_000, Counter({(Sent.WHOLE, Reason.NONE): 2, (Sent.LESS, Reason.SIZE): 1}))
    narrow = LineState(900_000, Counter({(Sent.LESS, Reason.LINE): 1, (Sent.NOTHING, Reason.LINE): 2}))
    silent = LineState(None, Counter({(Sent.WHOLE, Reason.NONE): 1}))
    text = rendered(wide, narrow, silent, probes=7)
    assert scraped(text, "konsil_lines", measured="yes") == 2
    assert scraped(text, "konsil_lines", measured="no") == 1
    assert scraped(text, "konsil_line_bits_per_second", quantile="0") == 900_000
    assert scraped(text, "konsil_line_bits_per_second", quantile="1") == 30_000_000
    assert scraped(text, "konsil_pictures", sent="whole", reason="none") == 3
    assert scraped(text, "konsil_pictures", sent="less", reason="size") == 1
    assert scraped(text, "konsil_pictures", sent="nothing", reason="line") == 2
    assert scraped(text, "konsil_pictures", sent="nothing", reason="hidden") == 0
    assert scraped(text, "konsil_probes_total") == 7


def test_without_a_measured_line_none_is_told() -> None:
    text = rendered(LineState(None, Counter()))
    assert scraped(text, "konsil_lines", measured="yes") == 0
    assert "konsil_line_bits_per_second{" not in text
