"""HTTP Live Streaming (RFC 8216 and its second edition, draft-pantos-hls-rfc8216bis) of a recording's tracks.

The pieces are those of MediaSource, put together from key to key, so that a player may begin at each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from media.plane import Codec

from .index import FrameEntry, TrackFacts

#: Segments of ours in one piece at most, where no key comes: some ten seconds.
MOST_TOGETHER = 16
#: Bits that a packet has for the figure of a track's rate: a full one.
_PACKET_BITS = 1200 * 8
#: Bits a second that are said of sound.
_SOUND_RATE = 64_000


@dataclass(frozen=True, slots=True)
class Piece:
    """What a playlist names: the segments from `first` to `last`, that last so many ticks."""

    first: int
    last: int
    duration: int
    independent: bool


def pieces(segments: Iterable[tuple[int, int, bool]], *, sound: bool) -> Iterator[Piece]:
    """Put segments (start, duration, key) together from key to key; sound, where all are keys, by sixes."""
    first, duration, independent, number = 0, 0, False, -1
    for number, (_, lasts, key) in enumerate(segments):
        count = number - first
        begins = count >= 6 if sound else key or count >= MOST_TOGETHER
        if begins and count:
            yield Piece(first, number - 1, duration, independent)
            first, duration = number, 0
        if number == first:
            independent = key
        duration += lasts
    if number >= first:
        yield Piece(first, number, duration, independent)


def media_playlist(facts: TrackFacts, listed: Sequence[Piece]) -> str:
    """Write the playlist of one track, ended: nothing more will come."""
    longest = max((piece.duration for piece in listed), default=0)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{max(1, -(-longest // facts.timescale))}",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-MEDIA-SEQUENCE:0",
    ]
    if all(piece.independent for piece in listed):
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines.append('#EXT-X-MAP:URI="init.mp4"')
    for piece in listed:
        lines += [f"#EXTINF:{piece.duration / facts.timescale:.6f},", f"{piece.first}-{piece.last}.m4s"]
    return "\n".join((*lines, "#EXT-X-ENDLIST", ""))


def multivariant_playlist(facts: TrackFacts, rate: int, sound: int | None) -> str:
    """Write the playlist of a recorded camera and its sound, another producer; `rate` is bits a second at most."""
    return multivariant(facts.media_type, (facts.width, facts.height), rate, sound)


def multivariant(
    media_type: str, size: tuple[int, int], rate: int, sound: int | None, query: str = ""
) -> str:
    """Write the playlist of a picture of this type and size (0: sound alone), and of its sound, another producer.

    `query` is put behind the addresses of their playlists.
    """
    codecs = codecs_of(media_type)
    lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
    group = ""
    if sound is not None:
        uri = f"../{sound}/track.m3u8{query}"
        lines.append(
            f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="sound",DEFAULT=YES,AUTOSELECT=YES,URI="{uri}"'
        )
        group, codecs, rate = ',AUDIO="sound"', codecs + ",opus", rate + _SOUND_RATE
    resolution = f",RESOLUTION={size[0]}x{size[1]}" if size[0] else ""
    lines += [
        f'#EXT-X-STREAM-INF:BANDWIDTH={rate},CODECS="{codecs}"{resolution}{group}',
        f"track.m3u8{query}",
        "",
    ]
    return "\n".join(lines)


def codecs_of(media_type: str) -> str:
    """Take the codecs out of a media type."""
    return media_type.partition('codecs="')[2].rstrip('"')


def rate_of(facts: TrackFacts, segments: Iterable[tuple[int, Sequence[FrameEntry]]]) -> int:
    """Estimate bits a second at most from some segments: their durations and frames."""
    if facts.codec is Codec.OPUS:
        return _SOUND_RATE
    rates = [
        sum(frame.packets for frame in frames)
        * _PACKET_BITS
        * facts.timescale
        // max(duration, facts.timescale // 30)
        for duration, frames in segments
    ]
    return max(max(rates, default=0), 1_000_000)
