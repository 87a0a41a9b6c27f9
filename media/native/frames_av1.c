/* AV1 (AOM's "RTP Payload Format For AV1", section 4) into the low-overhead format: OBUs put together, each with its
 * length. */

#include "frames.h"

#define CONTINUES 0x80    /* Z */
#define CONTINUED 0x40    /* Y */
#define NEW_SEQUENCE 0x08 /* N */
#define HAS_EXTENSION 0x04
#define HAS_SIZE 0x02

/* A length of at most five bytes; false where it ends too late. */
static bool read_leb128(const uint8_t *data, size_t size, size_t *at, uint64_t *value)
{
    *value = 0;
    for (int shift = 0; shift < 35 && *at < size; shift += 7) {
        uint8_t byte = data[(*at)++];
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

/* Put the OBU that is whole now behind those before it, with its length. */
static bool emit(struct joiner *joiner)
{
    if (joiner->no_memory)
        return false;
    const uint8_t *obu = joiner->unit.data;
    size_t size = joiner->unit.size;
    if (size == 0 || obu[0] & 0x80)
        return false;
    int type = obu[0] >> 3 & 15;
    if (type == 2 || type == 8 || type == 15) /* delimiters, tile lists and padding do not travel */
        return true;
    size_t start = obu[0] & HAS_EXTENSION ? 2 : 1, at = start;
    if (size < start)
        return false;
    uint64_t length = size - start;
    if (obu[0] & HAS_SIZE && (!read_leb128(obu, size, &at, &length) || length > size - at))
        return false;
    uint8_t head[2 + 5] = {obu[0] | HAS_SIZE, start == 2 ? obu[1] : 0};
    size_t written = start;
    uint64_t rest = length;
    for (; rest > 0x7f; rest >>= 7)
        head[written++] = (uint8_t)(rest | 0x80);
    head[written++] = (uint8_t)rest;
    bytes_add(joiner, &joiner->picture, head, written);
    bytes_add(joiner, &joiner->picture, obu + at, length);
    return true;
}

static bool take_av1(struct joiner *joiner, const uint8_t *payload, size_t size, bool first, bool sure)
{
    if (size < 2 || joiner->taken > MAX_FRAME_LENGTH)
        return false;
    uint8_t header = payload[0];
    if (first) {
        joiner->key = (header & (CONTINUES | NEW_SEQUENCE)) == NEW_SEQUENCE;
        if (!sure && !joiner->key)
            return false; /* whether a frame begins here cannot be told */
        bytes_add(joiner, &joiner->picture, "\x12\x00", 2); /* a temporal delimiter */
    }
    if (((header & CONTINUES) != 0) != joiner->unit_open)
        return false;
    int count = header >> 4 & 3, number = 0; /* W: 0 means that each element has its length */
    for (size_t at = 1; at < size; number++) {
        uint64_t length = size - at;
        if (count == 0 || number < count - 1) {
            if (!read_leb128(payload, size, &at, &length) || length > size - at)
                return false;
        }
        if (number > 0 || !joiner->unit_open) {
            if (joiner->unit_begun && !emit(joiner))
                return false;
            joiner->unit.size = 0;
            joiner->unit_begun = true;
        }
        bytes_add(joiner, &joiner->unit, payload + at, length);
        at += length;
    }
    joiner->unit_open = header & CONTINUED;
    return count == 0 || number == count;
}

static bool end_av1(struct joiner *joiner, bool sure)
{
    (void)sure;
    return !joiner->unit_open && emit(joiner);
}

const struct payload_format format_av1 = {take_av1, end_av1};
