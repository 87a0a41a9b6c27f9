"""Sound with redundancy (RED, RFC 2198): passed on to who takes it; who does not is sent the newest block alone."""

from dataclasses import replace
from typing import Any

import pytest

from media.codecs import opus
from media.plane import Codec, Drop
from media.rtp.extensions import AudioLevel
from media.rtp.packet import RtpPacket
from tests.helpers.red import redundant
from tests.helpers.rtp_harness import PlaneHarness
from tests.helpers.rtp_stream import Stream, View, ids

#: What the publisher calls sound alone and with redundancy, and what a consumer does.
PLAIN, RED = 111, 63
OWN_PLAIN, OWN_RED = 100, 110
#: Of 20 ms, 40 kbit/s or so: what was sent before, and what is new.
BEFORE, NEWEST = b"\x78before" + bytes(80), b"\x78newest" + bytes(90)
STEP = 960


class Sound(Stream):
    """Send sound, each packet with the one before it."""

    def __init__(self, harness: PlaneHarness, **spec: Any) -> None:
        fields = {
            "codec": Codec.OPUS,
            "clock_rate": opus.CLOCK_RATE,
            "payload_type": PLAIN,
            "rtx_payload_type": 0,
        }
        super().__init__(harness, rtx_ssrc=0, **(fields | {"red_payload_type": RED} | spec))

    def send_red(self, payload: bytes, **fields: Any) -> RtpPacket:
        """Send a packet of the redundant format; the helper's number at its end is of the newest block."""
        packet = replace(self.packet(payload, **fields), payload_type=RED)
        self.peer.send_rtp(packet)
        return packet


def takes(sound: Sound, **spec: Any) -> View:
    """Be sent sound with redundancy, without RTX as browsers are."""
    return View(sound, **({"red_payload_type": OWN_RED, "rtx_ssrc": 0, "rtx_payload_type": 0} | spec))


def alone(sound: Sound, **spec: Any) -> View:
    """Be sent sound without redundancy."""
    return View(sound, **({"rtx_ssrc": 0, "rtx_payload_type": 0} | spec))


def send_three(sound: Sound) -> list[RtpPacket]:
    """Send the first packet alone, as there is nothing before it, then two with redundancy."""
    return [
        sound.send(NEWEST),
        sound.send_red(redundant(PLAIN, [(STEP, BEFORE)], NEWEST)),
        sound.send_red(redundant(PLAIN, [(2 * STEP, BEFORE), (STEP, BEFORE)], NEWEST), marker=True),
    ]


class Redundancy:
    """Of one stream each gets what it takes."""

    def test_who_takes_it_is_sent_all_blocks_under_its_own_numbers(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        view = takes(sound)
        sent = send_three(sound)
        assert [packet.payload_type for packet in view.packets] == [OWN_PLAIN, OWN_RED, OWN_RED]
        assert view.payloads == [
            sent[0].payload,
            redundant(OWN_PLAIN, [(STEP, BEFORE)], NEWEST) + sent[1].payload[-2:],
            redundant(OWN_PLAIN, [(2 * STEP, BEFORE), (STEP, BEFORE)], NEWEST) + sent[2].payload[-2:],
        ]
        assert [packet.timestamp for packet in view.packets] == [packet.timestamp for packet in sent]
        assert [packet.marker for packet in view.packets] == [False, False, True]

    def test_who_does_not_is_sent_the_newest_block(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        view = alone(sound)
        sent = send_three(sound)
        assert [packet.payload_type for packet in view.packets] == [OWN_PLAIN] * 3
        assert view.payloads == [NEWEST + packet.payload[-2:] for packet in sent]
        assert [packet.timestamp for packet in view.packets] == [packet.timestamp for packet in sent]
        assert [packet.marker for packet in view.packets] == [False, False, True]
        numbers = [packet.sequence_number for packet in view.packets]
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
        statistics = harness.plane.consumer_statistics(view.spec.consumer)
        assert statistics.octets == sum(len(payload) for payload in view.payloads)

    def test_both_from_one_stream(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        first, second = takes(sound), alone(sound)
        send_three(sound)
        assert [len(view.packets) for view in (first, second)] == [3, 3]
        assert len(first.payloads[1]) > len(second.payloads[1])

    def test_padding_is_of_no_block(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        view = alone(sound)
        sent = sound.send_red(redundant(PLAIN, [(STEP, BEFORE)], NEWEST), padding=20)
        assert view.payloads == [NEWEST + sent.payload[-2:]]

    def test_a_packet_of_one_block_is_one(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        view = alone(sound)
        sent = sound.send_red(redundant(PLAIN, [], NEWEST))
        assert view.payloads == [NEWEST + sent.payload[-2:]]

    def test_the_loudness_passes_either_way(self, harness: PlaneHarness) -> None:
        sound = Sound(harness, extensions=ids(0, 0, 0, 4))
        views = [takes(sound, extensions=ids(0, 0, 0, 7)), alone(sound, extensions=ids(0, 0, 0, 7))]
        level = bytes(AudioLevel(voice=True, level=30))
        sound.send_red(redundant(PLAIN, [(STEP, BEFORE)], NEWEST), extensions={4: level})
        assert [view.packets[0].extensions for view in views] == [{7: level}] * 2

    @pytest.mark.parametrize(
        "payload",
        [
            b"\xef",  # within the header of a block
            b"\xef\x0f\x00\x00",  # no newest block's header
            redundant(PLAIN, [(STEP, bytes(200))], b"")[:100],  # longer than the packet
            redundant(PLAIN, [(STEP, b"")] * 16, NEWEST),  # too many
        ],
    )
    def test_lengths_that_lie_are_sent_to_nobody(self, harness: PlaneHarness, payload: bytes) -> None:
        sound = Sound(harness)
        views = [takes(sound), alone(sound)]
        # without the two bytes that the helper appends
        sound.peer.send_rtp(replace(sound.packet(), payload_type=RED, payload=payload))
        assert harness.drops(Drop.MALFORMED) == 1
        assert [view.packets for view in views] == [[], []]
        assert sound.statistics().packets == 0
        after = sound.send(NEWEST)
        assert [view.payloads for view in views] == [[after.payload]] * 2

    def test_an_empty_newest_block_is_none(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        view = takes(sound)
        for payload in (b"", bytes([PLAIN]), redundant(PLAIN, [(STEP, BEFORE)], b"")):
            sound.peer.send_rtp(replace(sound.packet(), payload_type=RED, payload=payload))
        assert harness.drops(Drop.MALFORMED) == 3
        assert view.packets == []

    def test_blocks_of_another_kind_are_sent_to_nobody(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        view = takes(sound)
        sound.send_red(redundant(PLAIN, [(STEP, BEFORE)], NEWEST, newest_type=RED))
        sound.send_red(redundant(13, [(STEP, BEFORE)], NEWEST, newest_type=PLAIN))
        assert harness.drops(Drop.UNKNOWN_PAYLOAD_TYPE) == 2
        assert view.packets == []

    def test_who_did_not_offer_it_does_not_send_it(self, harness: PlaneHarness) -> None:
        sound = Sound(harness, red_payload_type=0)
        view = alone(sound)
        sound.send_red(redundant(PLAIN, [(STEP, BEFORE)], NEWEST))
        assert harness.drops(Drop.UNKNOWN_PAYLOAD_TYPE) == 1
        assert view.packets == []

    def test_a_repeat_is_the_very_same(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        views = [takes(sound), alone(sound)]
        send_three(sound)
        for view in views:
            first = view.packets[1]
            originals = list(view.peer.datagrams)
            view.nack(first.sequence_number)
            assert view.peer.repeated == [originals[1]]

    def test_a_repeat_in_the_rtx_stream_is_the_newest_block(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        view = View(sound, red_payload_type=OWN_RED)
        sent = send_three(sound)
        lost = view.packets[1].sequence_number
        view.nack(lost)
        assert [packet.payload for packet in view.repeats] == [
            lost.to_bytes(2, "big") + NEWEST + sent[1].payload[-2:]
        ]

    def test_the_tap_gets_the_newest_block(self, harness: PlaneHarness) -> None:
        sound = Sound(harness, extensions=ids(0, 0, 0, 4))
        harness.plane.set_tap(sound.spec.producer, enabled=True)
        harness.settle()
        level = {4: bytes(AudioLevel(voice=False, level=9))}
        sent = sound.send_red(
            redundant(PLAIN, [(STEP, BEFORE)], NEWEST), marker=True, extensions=level, padding=8
        )
        harness.settle()
        data = harness.plane.read_tap()
        assert int.from_bytes(data[:4], "big") == len(data) - 4
        assert RtpPacket.parse(data[24:]) == replace(
            sent, payload_type=PLAIN, payload=NEWEST + sent.payload[-2:]
        )

    def test_redundancy_is_counted_apart(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        plain, first, second = send_three(sound)
        counted = sound.statistics().layer_bytes
        headers = 12 * 3
        assert counted[0] == headers + 3 * (len(NEWEST) + 2)
        assert sum(counted) == headers + sum(len(packet.payload) for packet in (plain, first, second))
        assert counted[1] == sum(counted) - counted[0]

    @pytest.mark.parametrize(
        "spec", [{"codec": Codec.VP8}, {"red_payload_type": PLAIN}, {"red_payload_type": 70}]
    )
    def test_what_cannot_be_received_is_refused(self, harness: PlaneHarness, spec: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"RFC 2198|RTCP"):
            Sound(harness, **spec)

    def test_what_cannot_be_sent_is_refused(self, harness: PlaneHarness) -> None:
        sound = Sound(harness)
        with pytest.raises(ValueError, match="RFC 2198"):
            takes(sound, red_payload_type=OWN_PLAIN)
