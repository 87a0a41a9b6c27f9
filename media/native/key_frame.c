/* Does a key frame start in this payload? Codec code only peeks; a lying payload is none. */

#include "plane.h"

/* RFC 6184: NAL unit types 5 (IDR), 7 (SPS), 24 (STAP-A), 28 (FU-A). */
static bool h264(const uint8_t *payload, size_t size)
{
    if (size < 1)
        return false;
    int type = payload[0] & 31;
    if (type == 28) /* the start bit, and what is fragmented */
        return size >= 2 && (payload[1] & 0x80) && ((payload[1] & 31) == 5 || (payload[1] & 31) == 7);
    if (type != 24)
        return type == 5 || type == 7;
    for (size_t at = 1; size - at >= 3;) {
        size_t length = read_16(payload + at);
        int inner = payload[at + 2] & 31;
        if (length == 0 || length > size - at - 2)
            return false;
        if (inner == 5 || inner == 7)
            return true;
        at += 2 + length;
    }
    return false;
}

/* RFC 7798: IRAP pictures are NAL unit types 16-21, parameter sets 32-34, 48 aggregates, 49 fragments. */
static bool h265_starts(int type)
{
    return (type >= 16 && type <= 21) || type == 32 || type == 33;
}

static bool h265(const uint8_t *payload, size_t size)
{
    if (size < 2)
        return false;
    int type = payload[0] >> 1 & 63;
    if (type == 49)
        return size >= 3 && (payload[2] & 0x80) && h265_starts(payload[2] & 63);
    if (type != 48)
        return h265_starts(type);
    for (size_t at = 2; size - at >= 4;) {
        size_t length = read_16(payload + at);
        if (length < 2 || length > size - at - 2)
            return false;
        if (h265_starts(payload[at + 2] >> 1 & 63))
            return true;
        at += 2 + length;
    }
    return false;
}

/* RFC 7741: the descriptor's S and PID, then the P bit of the frame header (0: key frame). */
static bool vp8(const uint8_t *payload, size_t size)
{
    if (size < 1 || !(payload[0] & 0x10) || (payload[0] & 7) != 0)
        return false;
    size_t at = 1;
    if (payload[0] & 0x80) { /* X: extensions follow */
        if (size < 2)
            return false;
        uint8_t extension = payload[at++];
        if (extension & 0x80) { /* I: PictureID, 15 bits if its first is set */
            if (at >= size)
                return false;
            at += payload[at] & 0x80 ? 2 : 1;
        }
        if (extension & 0x40) /* L: TL0PICIDX */
            at++;
        if (extension & 0x30) /* T, K: one byte for both */
            at++;
    }
    return at < size && !(payload[at] & 1);
}

/* RFC 9628: I P L F B E V Z. A key frame is not inter-predicted (P 0), starts here (B 1), on layer 0. */
static bool vp9(const uint8_t *payload, size_t size)
{
    struct place place = {0};
    return size >= 1 && !(payload[0] & 0x40) && (payload[0] & 0x08) && place_of_vp9(payload, size, &place) &&
           place.spatial == 0;
}

/* AV1 RTP, section 4.4: the aggregation header Z Y WW N; N: a coded video sequence starts, and Z is 0. */
static bool av1(const uint8_t *payload, size_t size)
{
    return size >= 2 && (payload[0] & 0x08) && !(payload[0] & 0x80);
}

bool starts_key_frame(enum codec codec, const uint8_t *payload, size_t size)
{
    switch (codec) {
    case CODEC_H264:
        return h264(payload, size);
    case CODEC_VP8:
        return vp8(payload, size);
    case CODEC_VP9:
        return vp9(payload, size);
    case CODEC_AV1:
        return av1(payload, size);
    case CODEC_H265:
        return h265(payload, size);
    default:
        return false;
    }
}
