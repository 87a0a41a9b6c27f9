"""What is measured, as a Prometheus collector: counters are read from the plane at each scrape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from media.congestion.allocator import Reason
from media.delivery import LineState, Sent
from media.plane import TRANSIT_BUCKETS, Drop, PlaneStatistics

COUNTERS = (
    ("konsil_packets_in", "RTP packets received and authenticated.", "packets_in"),
    ("konsil_packets_out", "RTP packets sent, repeats included.", "packets_out"),
    ("konsil_bytes_in", "Bytes received.", "bytes_in"),
    ("konsil_bytes_out", "Bytes sent.", "bytes_out"),
    ("konsil_handed_over", "Datagrams that arrived at one thread and belonged to another.", "handed_over"),
    ("konsil_send_calls", "System calls that sent media.", "send_calls"),
)

#: Always told, so that an alarm has something to look at.
DEGRADED = (
    (Sent.LESS, Reason.LINE),
    (Sent.LESS, Reason.PUBLISHER),
    (Sent.LESS, Reason.SIZE),
    (Sent.NOTHING, Reason.HIDDEN),
    (Sent.NOTHING, Reason.LINE),
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a scrape sees. `participants` counts by role; nothing here names a room or a person."""

    shards: Sequence[PlaneStatistics]
    rooms: int
    participants: dict[str, int]
    recordings: int
    recordings_interrupted: int
    recorder_left_out: int
    backlog_bytes: int
    kept_bytes: int
    ephemeral_dropped: int
    lines: Sequence[LineState]
    probes: int


def bucket_bound(index: int) -> float:
    """Return the upper bound of a transit bucket in seconds (`media.plane.TRANSIT_BUCKETS`)."""
    return float(10e-6 * 10 ** ((index + 1) / 20))


def quantile(transit: Iterable[int], share: float) -> float | None:
    """Return the bound in seconds below which that share (0-1) of the packets lies, None without packets."""
    counts = list(transit)
    total = sum(counts)
    seen = 0
    for index, count in enumerate(counts):
        seen += count
        if total and seen >= share * total:
            return bucket_bound(index)
    return None


class Metrics:
    """Collects at each scrape what the function given returns."""

    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        """Render everything in Prometheus' text format 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the families (called by the registry)."""
        now = self._snapshot()
        for name, words, attribute in COUNTERS:
            yield _by_shard(name, words, [getattr(shard, attribute) for shard in now.shards])
        cpu = [shard.cpu_ns / 1e9 for shard in now.shards]
        yield _by_shard("konsil_plane_cpu_seconds", "CPU time of the packet plane's thread.", cpu)
        drops = CounterMetricFamily(
            "konsil_drops", "Packets not forwarded, by reason (media/plane.py).", labels=("shard", "reason")
        )
        for number, shard in enumerate(now.shards):
            for reason in Drop:
                drops.add_metric((str(number), reason.name.lower()), shard.drops[reason])
        yield drops
        streams = GaugeMetricFamily("konsil_streams", "TCP streams that carry media.", labels=("shard",))
        for number, shard in enumerate(now.shards):
            streams.add_metric((str(number),), shard.streams)
        yield streams
        yield from _transit(now.shards)
        waiting = GaugeMetricFamily(
            "konsil_waiting_packets", "Packets that wait for their turn on narrow lines.", labels=("shard",)
        )
        for number, shard in enumerate(now.shards):
            queued = sum(transport.queued_packets for transport in shard.transports.values())
            waiting.add_metric((str(number),), queued)
        yield waiting
        yield from _lines(now)
        participants = GaugeMetricFamily(
            "konsil_participants",
            "Participants by role, those who are reconnecting included.",
            labels=("role",),
        )
        for role, count in sorted(now.participants.items()):
            participants.add_metric((role,), count)
        yield participants
        yield GaugeMetricFamily("konsil_rooms", "Rooms with somebody in them.", now.rooms)
        yield GaugeMetricFamily("konsil_recordings", "Recordings being written.", now.recordings)
        yield GaugeMetricFamily(
            "konsil_recordings_interrupted",
            "Recordings that the disk does not follow, of those.",
            now.recordings_interrupted,
        )
        yield CounterMetricFamily(
            "konsil_recorder_left_out",
            "Packets that recordings lack, since the disk or the tap's reader could not follow.",
            now.recorder_left_out,
        )
        yield GaugeMetricFamily(
            "konsil_recorder_backlog_bytes", "Bytes recorded but not yet on the disk.", now.backlog_bytes
        )
        yield GaugeMetricFamily(
            "konsil_kept_bytes",
            "Compressed frames of fields in memory, for frozen frames and marks that follow.",
            now.kept_bytes,
        )
        yield CounterMetricFamily(
            "konsil_ephemeral_dropped",
            "Pointer and stroke messages dropped as too old.",
            now.ephemeral_dropped,
        )


def _by_shard(name: str, words: str, values: Iterable[float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, words, labels=("shard",))
    for number, value in enumerate(values):
        family.add_metric((str(number),), value)
    return family


def _transit(shards: Sequence[PlaneStatistics]) -> Iterator[Metric]:
    histogram = HistogramMetricFamily(
        "konsil_transit_seconds",
        "From the kernel's receive stamp to the return of the send call.",
        labels=("shard",),
    )
    quantiles = GaugeMetricFamily(
        "konsil_transit_quantile_seconds",
        "Quantiles of the same since the start (upper bound of the bucket).",
        labels=("shard", "quantile"),
    )
    for number, shard in enumerate(shards):
        buckets: list[tuple[str, float]] = []
        running = 0
        for index, count in enumerate(shard.transit):
            running += count
            if index + 1 < TRANSIT_BUCKETS:
                buckets.append((f"{bucket_bound(index):.6g}", running))
        buckets.append(("+Inf", running))
        # taken from the buckets' geometric middles, good to 6 %
        total = sum(count * bucket_bound(index) * 0.944 for index, count in enumerate(shard.transit))
        histogram.add_metric((str(number),), buckets, total)
        for share in (0.5, 0.99, 0.999):
            value = quantile(shard.transit, share)
            if value is not None:
                quantiles.add_metric((str(number), str(share)), value)
    yield histogram
    yield quantiles


def _lines(now: Snapshot) -> Iterator[Metric]:
    """What the receivers' lines carry, and what they are sent; nobody's line is told by itself."""
    estimates = sorted(line.carries for line in now.lines if line.carries is not None)
    measured = GaugeMetricFamily(
        "konsil_lines", "Receivers' lines, by whether the receiver says what arrives.", labels=("measured",)
    )
    measured.add_metric(("yes",), len(estimates))
    measured.add_metric(("no",), len(now.lines) - len(estimates))
    yield measured
    carries = GaugeMetricFamily(
        "konsil_line_bits_per_second",
        "What the measured lines are taken to carry: the least, a tenth from below, the middle one, the most.",
        labels=("quantile",),
    )
    for share in (0, 0.1, 0.5, 1) if estimates else ():
        carries.add_metric((str(share),), estimates[min(int(share * len(estimates)), len(estimates) - 1)])
    yield carries
    pictures = sum((line.pictures for line in now.lines), Counter[tuple[Sent, Reason]]())
    sent = GaugeMetricFamily(
        "konsil_pictures",
        "Pictures being sent to somebody, by what is sent of them and why (media/congestion/allocator.py).",
        labels=("sent", "reason"),
    )
    for what, reason in sorted({*pictures, *DEGRADED, (Sent.WHOLE, Reason.NONE)}):
        sent.add_metric((str(what), str(reason)), pictures[what, reason])
    yield sent
    yield CounterMetricFamily("konsil_probes", "Probes of what a line carries.", now.probes)
