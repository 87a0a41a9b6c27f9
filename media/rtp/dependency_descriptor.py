"""The dependency descriptor (AV1 RTP payload specification, appendix A): which layers a packet's frame belongs to.

A sender describes the structure of its stream once, with a key frame; then each packet names a template of it. What
depends on a packet is said for each decode target, an operating point that a receiver may choose. Frame differences
and chains are passed over: whoever forwards needs neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from .packet import RtpError

#: What fits the fields: a template is named by 6 bits, a decode target by 5.
MAX_TEMPLATES = 64
MAX_TARGETS = 32
MAX_SPATIAL = 3
MAX_TEMPORAL = 7

#: The longest descriptor that a header extension holds.
MAX_BYTES = 255

#: Descriptors that only name a template have this many bytes.
MANDATORY_BYTES = 3


class DescriptorError(RtpError):
    """A dependency descriptor is not what the specification says."""


class Indication(IntEnum):
    """What a frame is to a decode target (DTI)."""

    NOT_PRESENT = 0
    DISCARDABLE = 1
    SWITCH = 2
    REQUIRED = 3


@dataclass(frozen=True, slots=True)
class Template:
    """Describe frames of one kind; `indications` are one for each decode target."""

    spatial: int
    temporal: int
    indications: tuple[Indication, ...]

    @property
    def present(self) -> int:
        """List the decode targets that these frames are present in (a bit each)."""
        return sum(1 << n for n, dti in enumerate(self.indications) if dti is not Indication.NOT_PRESENT)


@dataclass(frozen=True, slots=True)
class Structure:
    """Describe a stream. `targets` are the highest (spatial, temporal) layer of each decode target."""

    offset: int
    templates: tuple[Template, ...]
    targets: tuple[tuple[int, int], ...]
    resolutions: tuple[tuple[int, int], ...] = ()

    def template(self, identifier: int) -> Template | None:
        """Find a template by what a packet calls it."""
        index = (identifier - self.offset) % 64
        return self.templates[index] if index < len(self.templates) else None


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Hold one packet's descriptor. `template` is None while its structure is not known; `structure` is there where
    the packet brings one, `active` (a bit a decode target) where the packet says which are being sent."""

    starts: bool
    ends: bool
    frame_number: int
    template: Template | None
    structure: Structure | None = None
    active: int | None = None


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise DescriptorError("The dependency descriptor ends too early.")
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)

    def non_symmetric(self, values: int) -> int:
        """Read ns(n): a number below `values`, the small ones in a bit less."""
        width = values.bit_length()
        short = (1 << width) - values
        value = self.take(width - 1)
        return value if value < short else (value << 1) - short + self.take(1)


def parse(value: bytes, known: Sequence[Structure] = ()) -> Descriptor:
    """Read a descriptor, or raise DescriptorError. `known` are the structures that it may name, the newest first."""
    if not MANDATORY_BYTES <= len(value) <= MAX_BYTES:
        raise DescriptorError(f"A dependency descriptor has 3 to 255 bytes, not {len(value)}.")
    bits = _Bits(value)
    starts, ends = bool(bits.take(1)), bool(bits.take(1))
    identifier, frame_number = bits.take(6), bits.take(16)
    structure, active, custom = None, None, False
    if len(value) > MANDATORY_BYTES:
        brings, says_active, custom = bool(bits.take(1)), bool(bits.take(1)), bool(bits.take(1))
        bits.take(2)  # custom frame differences and chains stand behind all that is read here
        if brings:
            structure = _structure(bits)
        current = structure if structure is not None else (known[0] if known else None)
        if says_active:
            if current is None:
                return Descriptor(starts, ends, frame_number, None)
            active = bits.take(len(current.targets))
        elif structure is not None:
            active = (1 << len(structure.targets)) - 1
    candidates = [structure] if structure is not None else known
    template = next((found for one in candidates if (found := one.template(identifier)) is not None), None)
    if template is None and structure is not None:
        raise DescriptorError(
            "A dependency descriptor names a template that its own structure does not have."
        )
    if template is not None and custom:
        indications = tuple(Indication(bits.take(2)) for _ in template.indications)
        template = Template(template.spatial, template.temporal, indications)
    return Descriptor(starts, ends, frame_number, template, structure, active)


def _structure(bits: _Bits) -> Structure:
    offset, targets = bits.take(6), bits.take(5) + 1
    layers = _layers(bits)
    templates = tuple(
        Template(spatial, temporal, tuple(Indication(bits.take(2)) for _ in range(targets)))
        for spatial, temporal in layers
    )
    for _ in templates:
        while bits.take(1):
            bits.take(4)  # a frame difference
    if chains := bits.non_symmetric(targets + 1):
        for _ in range(targets):
            bits.non_symmetric(chains)  # which chain protects the target
        for _ in templates:
            bits.take(4 * chains)
    resolutions: tuple[tuple[int, int], ...] = ()
    if bits.take(1):
        highest = max(spatial for spatial, _ in layers)
        resolutions = tuple((bits.take(16) + 1, bits.take(16) + 1) for _ in range(highest + 1))
    return Structure(offset, templates, tuple(_target(templates, n) for n in range(targets)), resolutions)


def _layers(bits: _Bits) -> list[tuple[int, int]]:
    layers = [(0, 0)]
    while (following := bits.take(2)) != 3:
        spatial, temporal = layers[-1]
        if following == 1:
            temporal += 1
        elif following == 2:
            spatial, temporal = spatial + 1, 0
        if spatial > MAX_SPATIAL or temporal > MAX_TEMPORAL or len(layers) == MAX_TEMPLATES:
            raise DescriptorError("A dependency structure has at most 4 x 8 layers and 64 templates.")
        layers.append((spatial, temporal))
    return layers


def _target(templates: Sequence[Template], number: int) -> tuple[int, int]:
    """Tell the highest spatial and the highest temporal layer of a decode target."""
    present = [t for t in templates if t.indications[number] is not Indication.NOT_PRESENT]
    return max((t.spatial for t in present), default=0), max((t.temporal for t in present), default=0)
