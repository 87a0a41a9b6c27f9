"""Where a packet's frame stands among the layers of its stream, and by which numbers its stream names it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..codecs import CodecError, vp8, vp9
from ..plane import Codec, Extension, ProducerSpec
from ..rtp import dependency_descriptor
from ..rtp.dependency_descriptor import Descriptor, DescriptorError, Indication, Structure
from ..rtp.packet import RtpPacket

#: Layers that are told apart where no dependency descriptor says more: 4 spatial times 4 temporal.
GRID = 4

#: Bits of all decode targets.
ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Place:
    """Describe one packet. `targets` are bits: which decode targets its frame is present in.

    Without a dependency descriptor decode target 4 * spatial + temporal is everything up to these layers. `switches`
    are the targets that may begin at this frame, where the descriptor says it. `synchronises`: the frame needs no other
    of its temporal layer (VP8's Y, VP9's U); `opens`: what follows needs none of the temporal layers above its own
    (U). `ends`: this is the frame's last packet.
    """

    layered: bool = False
    described: bool = False
    spatial: int = 0
    temporal: int = 0
    targets: int = ALL
    switches: int = 0
    synchronises: bool = False
    opens: bool = False
    ends: bool = False
    picture: int | None = None
    tl0: int | None = None
    frame_number: int | None = None
    picture_at: int = 0
    picture_bits: int = 7
    tl0_at: int = 0


class Places:
    """Follow one stream's structure."""

    def __init__(self, spec: ProducerSpec) -> None:
        """Begin without a structure."""
        self._codec = spec.codec
        self._extension = spec.extensions[Extension.DEPENDENCY_DESCRIPTOR]
        self.structures: list[Structure] = []
        self.active = ALL

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """The layers of each decode target that a descriptor named."""
        return self.structures[0].targets if self.structures else ()

    def find(self, packet: RtpPacket) -> Place:
        """Read what a packet says of its place; what it lies about it does not say."""
        place = self._of_payload(packet.payload)
        value = packet.extensions.get(self._extension, b"") if self._extension else b""
        if not value:
            return place
        try:
            descriptor = dependency_descriptor.parse(value, self.structures)
        except DescriptorError:
            return place
        if descriptor.structure is not None:
            # the sizes of the pictures make no other structure
            brought = replace(descriptor.structure, resolutions=())
            if brought not in self.structures[:1]:
                self.structures = [brought, *self.structures[:1]]
        if descriptor.active is not None:
            self.active = descriptor.active
        return self._described(place, descriptor)

    def _of_payload(self, payload: bytes) -> Place:
        try:
            if self._codec is Codec.VP8:
                return _of_vp8(payload)
            if self._codec is Codec.VP9:
                return _of_vp9(payload)
        except CodecError:
            pass
        return Place()

    @staticmethod
    def _described(place: Place, descriptor: Descriptor) -> Place:
        template = descriptor.template
        names = {
            name: getattr(place, name) for name in ("picture", "tl0", "picture_at", "picture_bits", "tl0_at")
        }
        if template is None:
            return Place(frame_number=descriptor.frame_number, **names)
        switch = [n for n, dti in enumerate(template.indications) if dti is Indication.SWITCH]
        return Place(
            layered=True,
            described=True,
            spatial=template.spatial,
            temporal=min(template.temporal, GRID - 1),
            targets=template.present,
            switches=sum(1 << n for n in switch),
            ends=descriptor.ends,
            frame_number=descriptor.frame_number,
            **names,
        )


def grid(spatial: int, temporal: int) -> int:
    """Say in which targets a frame of these layers is present, where no descriptor says it."""
    return sum(1 << GRID * s + t for s in range(spatial, GRID) for t in range(temporal, GRID))


def _of_vp8(payload: bytes) -> Place:
    said = vp8.parse_descriptor(payload)
    layered = said.temporal_layer is not None
    return Place(
        layered=layered,
        temporal=said.temporal_layer or 0,
        targets=grid(0, said.temporal_layer) if said.temporal_layer is not None else ALL,
        synchronises=said.synchronises,
        picture=said.picture,
        tl0=said.tl0,
        picture_at=said.picture_at,
        picture_bits=said.picture_bits,
        tl0_at=said.tl0_at,
    )


def _of_vp9(payload: bytes) -> Place:
    said = vp9.parse_descriptor(payload)
    spatial, temporal = min(said.spatial_layer or 0, GRID - 1), min(said.temporal_layer or 0, GRID - 1)
    layered = said.spatial_layer is not None
    return Place(
        layered=layered,
        spatial=spatial,
        temporal=temporal,
        targets=grid(spatial, temporal) if layered else ALL,
        synchronises=said.switches_up,
        opens=said.switches_up,
        ends=said.ends,
        picture=said.picture,
        tl0=said.tl0,
        picture_at=said.picture_at,
        picture_bits=said.picture_bits,
        tl0_at=said.tl0_at,
    )
