"""What the plane refuses of its own caller: each a ValueError with a sentence."""

from __future__ import annotations

from .plane import Codec, ConsumerSpec, Extension, ExtensionIds, Layer, ProducerSpec

#: What abs-send-time and transport-wide numbers would change in a repeat.
_CHANGING = (Extension.ABS_SEND_TIME, Extension.TRANSPORT_WIDE)

#: Encodings of one producer.
MAX_ENCODINGS = 4

#: Bounds of pacing and probing, bit/s, and of a probe's packets.
MIN_RATE = 10_000
MAX_RATE = 100_000_000_000
MAX_PROBE = 1000


def check_producer(spec: ProducerSpec) -> None:
    """Refuse a producer that cannot be received."""
    _check_payload_types(spec.payload_type, spec.rtx_payload_type, spec.red_payload_type)
    _check_extensions(spec.extensions)
    if spec.red_payload_type and (
        spec.codec is not Codec.OPUS or spec.red_payload_type in (spec.payload_type, spec.rtx_payload_type)
    ):
        raise ValueError("Redundancy (RFC 2198) is for sound, under a payload type of its own.")
    if spec.producer <= 0 or spec.transport < 0:
        raise ValueError("A producer has a positive identifier, and a transport or 0.")
    if spec.clock_rate <= 0:
        raise ValueError("A clock rate is positive.")
    if not 1 <= len(spec.encodings) <= MAX_ENCODINGS:
        raise ValueError(f"A producer has 1 to {MAX_ENCODINGS} encodings.")
    if spec.codec is Codec.OPUS and len(spec.encodings) > 1:
        raise ValueError("Audio has one encoding.")
    for encoding in spec.encodings:
        check_encoding(encoding.ssrc, encoding.rtx_ssrc)
    known = [ssrc for encoding in spec.encodings for ssrc in (encoding.ssrc, encoding.rtx_ssrc) if ssrc]
    if len(set(known)) != len(known):
        raise ValueError("Two streams of a producer have the same SSRC.")
    if not 1 <= spec.history_ms <= 60_000 or not 1 << 16 <= spec.history_bytes <= 1 << 28:
        raise ValueError("A history holds 1 ms to 60 s and 64 KiB to 256 MiB.")


def check_move(before: ProducerSpec, after: ProducerSpec) -> None:
    """Refuse a producer that would go on as something else."""
    check_producer(after)
    kept = [
        (spec.codec, spec.clock_rate, len(spec.encodings), spec.history_ms, spec.history_bytes)
        for spec in (before, after)
    ]
    if kept[0] != kept[1]:
        raise ValueError(
            "A producer that moves keeps codec, clock rate, history and the number of its encodings."
        )


def check_encoding(ssrc: int, rtx_ssrc: int) -> None:
    """Refuse the SSRCs of an encoding; 0 means that one is not known, or none."""
    if not 0 <= ssrc < 1 << 32 or not 0 <= rtx_ssrc < 1 << 32:
        raise ValueError("An SSRC has 32 bits, and 0 means none.")
    if ssrc and ssrc == rtx_ssrc:
        raise ValueError("The RTX stream has an SSRC of its own.")


def check_layer(layer: Layer, encodings: int) -> None:
    """Refuse a layer that no stream has."""
    if not 0 <= layer.encoding < encodings:
        raise ValueError(f"The producer has {encodings} encodings, the first is 0.")
    if not 0 <= layer.spatial <= 3 or not 0 <= layer.temporal <= 3:
        raise ValueError("Spatial and temporal layers are 0 to 3.")


def check_capture_offset(offset: int) -> None:
    """Refuse what does not fit abs-capture-time's field."""
    if not -(1 << 63) <= offset < 1 << 63:
        raise ValueError("A capture clock offset has 64 bits, signed.")


def check_consumer(spec: ConsumerSpec) -> None:
    """Refuse a consumer that cannot be sent."""
    _check_stream(spec.payload_type, spec.ssrc, spec.rtx_payload_type, spec.rtx_ssrc)
    _check_extensions(spec.extensions)
    if spec.consumer <= 0:
        raise ValueError("A consumer has a positive identifier.")
    if len(spec.mid.encode()) > 16:
        raise ValueError("A MID has at most 16 bytes.")
    minimum, maximum = spec.playout_delay
    if not 0 <= minimum <= maximum <= 40_950 or minimum % 10 or maximum % 10:
        raise ValueError("A playout delay is 0 to 40,950 ms in steps of 10, the minimum first.")
    _check_protection(spec)
    _check_payload_types(spec.red_payload_type)
    if spec.red_payload_type and spec.red_payload_type in (spec.payload_type, spec.rtx_payload_type):
        raise ValueError("Redundancy (RFC 2198) has a payload type of its own.")
    if not spec.rtx_ssrc and any(spec.extensions[extension] for extension in _CHANGING):
        raise ValueError(
            "Without RTX a repeat must be bit-identical: no abs-send-time, no transport-wide number."
        )


def check_pacing(bits_per_second: int) -> None:
    """Refuse a rate that cannot be kept; 0 is none."""
    if bits_per_second != 0 and not MIN_RATE <= bits_per_second <= MAX_RATE:
        raise ValueError("A transport is paced at 10 kbit/s to 100 Gbit/s, or not at all (0).")


def check_probe(cluster: int, bits_per_second: int, packets: int) -> None:
    """Refuse a probe that could not be told from others, or never ends."""
    if not 0 < cluster < 1 << 16:
        raise ValueError("A probe's cluster is 1 to 65,535.")
    if not MIN_RATE <= bits_per_second <= MAX_RATE or not 0 < packets <= MAX_PROBE:
        raise ValueError("A probe has 1 to 1,000 packets, at 10 kbit/s to 100 Gbit/s.")


def check_round_trip(seconds: float) -> None:
    """Refuse what is no time."""
    if not 0 <= seconds <= 60:
        raise ValueError("A round trip takes 0 (not known) to 60 seconds.")


def check_fec(spec: ConsumerSpec, share: float) -> None:
    """Refuse protection that cannot be sent."""
    if not 0 <= share <= 0.5:
        raise ValueError("The share of protection packets is 0 to 0.5.")
    if share and not spec.fec_ssrc:
        raise ValueError(f"Consumer {spec.consumer} has no stream for protection packets.")


def _check_protection(spec: ConsumerSpec) -> None:
    if not spec.fec_ssrc:
        return
    _check_stream(spec.fec_payload_type, spec.fec_ssrc, 0, 0)
    if spec.fec_ssrc in (spec.ssrc, spec.rtx_ssrc):
        raise ValueError("The protection stream has an SSRC of its own.")


def _check_stream(payload_type: int, ssrc: int, rtx_payload_type: int, rtx_ssrc: int) -> None:
    _check_payload_types(payload_type, rtx_payload_type)
    if not ssrc:
        raise ValueError("A stream that is sent has an SSRC.")
    check_encoding(ssrc, rtx_ssrc)


def _check_payload_types(*numbers: int) -> None:
    for number in numbers:
        # 64-95 with the marker bit would look like RTCP (RFC 5761, section 4)
        if not 0 <= number < 128 or 64 <= number < 96:
            raise ValueError(f"The payload type {number} is not possible beside RTCP.")


def _check_extensions(ids: ExtensionIds) -> None:
    used = [identifier for identifier in ids if identifier]
    if len(ids) != len(Extension) or any(not 0 <= identifier < 15 for identifier in ids):
        raise ValueError("Header extensions have ids of 1 to 14, or 0.")
    if len(set(used)) != len(used):
        raise ValueError("Two header extensions have the same id.")
