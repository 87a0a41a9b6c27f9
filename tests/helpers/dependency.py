"""Dependency descriptors as a sender writes them (AV1 RTP payload specification, appendix A), for tests."""

from __future__ import annotations

from collections.abc import Sequence

from media.rtp.dependency_descriptor import Indication


class BitWriter:
    """Write bits, the most significant first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._bits: list[str] = []

    def put(self, value: int, count: int) -> BitWriter:
        """Write an unsigned number of this many bits."""
        assert 0 <= value < 1 << count
        self._bits.append(format(value, f"0{count}b") if count else "")
        return self

    def put_non_symmetric(self, value: int, values: int) -> BitWriter:
        """Write ns(n): a number below `values`."""
        width = values.bit_length()
        short = (1 << width) - values
        return self.put(value, width - 1) if value < short else self.put(value + short, width)

    def __bytes__(self) -> bytes:
        """Fill the last byte up with zeros."""
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def indications(text: str) -> tuple[Indication, ...]:
    """Read indications as the specification's tables have them: -, D, S and R."""
    return tuple(Indication("-DSR".index(letter)) for letter in text)


def write_structure(
    bits: BitWriter,
    templates: Sequence[tuple[int, int, str]],
    *,
    offset: int = 0,
    differences: Sequence[Sequence[int]] = (),
    chains: int = 0,
    resolutions: Sequence[tuple[int, int]] = (),
) -> None:
    """Write a structure; `templates` are (spatial, temporal, indications), layer by layer."""
    targets = len(templates[0][2])
    bits.put(offset, 6).put(targets - 1, 5)
    for (spatial, temporal, _), following in zip(templates, [*templates[1:], None], strict=True):
        if following is None:
            bits.put(3, 2)
        elif following[0] > spatial:
            bits.put(2, 2)
        else:
            bits.put(following[1] - temporal, 2)
    for _, _, text in templates:
        for indication in indications(text):
            bits.put(indication, 2)
    for number in range(len(templates)):
        for difference in differences[number] if differences else ():
            bits.put(1, 1).put(difference - 1, 4)
        bits.put(0, 1)
    bits.put_non_symmetric(chains, targets + 1)
    if chains:
        for target in range(targets):
            bits.put_non_symmetric(target % chains, chains)
        for _ in range(len(templates) * chains):
            bits.put(1, 4)
    bits.put(bool(resolutions), 1)
    for width, height in resolutions:
        bits.put(width - 1, 16).put(height - 1, 16)


def write_descriptor(
    template: int,
    frame_number: int,
    *,
    starts: bool = True,
    ends: bool = True,
    structure: Sequence[tuple[int, int, str]] | None = None,
    targets: int = 0,
    active: int | None = None,
    custom: str = "",
    chains: int = 0,
    resolutions: Sequence[tuple[int, int]] = (),
    offset: int = 0,
) -> bytes:
    """Write a descriptor; `targets` is needed for `active` where no structure is written."""
    bits = BitWriter()
    bits.put(starts, 1).put(ends, 1).put(template, 6).put(frame_number & 0xFFFF, 16)
    if structure is not None or active is not None or custom:
        bits.put(structure is not None, 1).put(active is not None, 1).put(bool(custom), 1).put(0, 2)
        if structure is not None:
            write_structure(bits, structure, chains=chains, resolutions=resolutions, offset=offset)
        if active is not None:
            bits.put(active, len(structure[0][2]) if structure is not None else targets)
        for indication in indications(custom):
            bits.put(indication, 2)
    return bytes(bits)


#: Two spatial and two temporal layers, the higher ones predicted from the lower ones (L2T2): the templates by layer,
#: each first for key pictures. Decode targets: (0, 0), (0, 1), (1, 0), (1, 1).
L2T2 = (
    (0, 0, "SSSS"),
    (0, 0, "SSRR"),
    (0, 1, "-D-R"),
    (1, 0, "--SS"),
    (1, 0, "--RR"),
    (1, 1, "---D"),
)

#: The same where the upper layer is predicted from the lower one in key pictures only (L2T2_KEY).
L2T2_KEY = (
    (0, 0, "SSSS"),
    (0, 0, "SS--"),
    (0, 1, "-D--"),
    (1, 0, "--SS"),
    (1, 0, "--SS"),
    (1, 1, "---D"),
)
