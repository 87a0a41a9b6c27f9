/* VP8 (RFC 7741) and VP9 (RFC 9628): the descriptors taken off. */

#include <string.h>

#include "frames.h"

/* The length of a payload's descriptor, 0 where the payload ends within it. */
static size_t descriptor_vp8(const uint8_t *payload, size_t size)
{
    size_t at = 1;
    if (payload[0] & 0x80) { /* X */
        if (at >= size)
            return 0;
        uint8_t extended = payload[at++];
        if (extended & 0x80) { /* I: a picture id of 7 or 15 bits */
            if (at >= size)
                return 0;
            at += payload[at] & 0x80 ? 2 : 1;
        }
        at += (extended & 0x40) != 0; /* L */
        at += (extended & 0x30) != 0; /* T, K: a byte for both */
    }
    return at <= size ? at : 0;
}

static bool take_vp8(struct joiner *joiner, const uint8_t *payload, size_t size, bool first, bool sure)
{
    (void)sure; /* the descriptor tells a beginning */
    size_t at = descriptor_vp8(payload, size);
    if (at == 0 || at == size || (first && (payload[0] & 0x17) != 0x10)) /* S, and partition 0 */
        return false;
    bytes_add(joiner, &joiner->picture, payload + at, size - at);
    return joiner->picture.size <= MAX_FRAME_LENGTH;
}

static bool end_vp8(struct joiner *joiner, bool sure)
{
    (void)sure;
    if (joiner->no_memory)
        return false;
    const uint8_t *frame = joiner->picture.data;
    joiner->key = joiner->picture.size >= 10 && !(frame[0] & 1) && memcmp(frame + 3, "\x9d\x01\x2a", 3) == 0;
    return true;
}

/* The same of VP9; the number of the spatial layer, too. */
static size_t descriptor_vp9(const uint8_t *payload, size_t size, int *spatial)
{
    uint8_t first = payload[0];
    size_t at = 1;
    *spatial = 0;
    if (first & 0x80) { /* I: a picture id of 7 or 15 bits */
        if (at >= size)
            return 0;
        at += payload[at] & 0x80 ? 2 : 1;
    }
    if (first & 0x20) { /* L: layers, and in non-flexible mode TL0PICIDX */
        if (at >= size)
            return 0;
        *spatial = payload[at] >> 1 & 7;
        at += first & 0x10 ? 1 : 2;
    }
    if ((first & 0x50) == 0x50) { /* P and F: up to three references */
        for (int number = 0;; number++) {
            if (at >= size || number == 3)
                return 0;
            if (!(payload[at++] & 1))
                break;
        }
    }
    if (first & 0x02) { /* V: the scalability structure */
        if (at >= size)
            return 0;
        uint8_t head = payload[at++];
        if (head & 0x10)
            at += 4 * ((size_t)(head >> 5) + 1);
        if (head & 0x08) {
            if (at >= size)
                return 0;
            for (int pictures = payload[at++]; pictures > 0; pictures--) {
                if (at >= size)
                    return 0;
                at += 1 + (payload[at] >> 2 & 3);
            }
        }
    }
    return at <= size ? at : 0;
}

static bool take_vp9(struct joiner *joiner, const uint8_t *payload, size_t size, bool first, bool sure)
{
    int spatial;
    size_t at = descriptor_vp9(payload, size, &spatial);
    bool begins = payload[0] & 0x08;
    if (at == 0 || at == size || (first && (!begins || (spatial > 0 && !sure))))
        return false;
    if (begins) {
        if (joiner->layers.count == SPATIAL_LAYERS)
            return false;
        joiner->layers.count++;
        joiner->layers.begin = joiner->picture.size;
    }
    bytes_add(joiner, &joiner->picture, payload + at, size - at);
    size_t length = joiner->picture.size - joiner->layers.begin;
    joiner->layers.sizes[joiner->layers.count - 1] = length;
    return length <= MAX_FRAME_LENGTH;
}

/* The bits of an uncompressed header, of which the first bytes are enough; behind the end they fail. */
struct bits {
    const uint8_t *data;
    size_t left, at;
    bool short_of;
};

static uint32_t take_bits(struct bits *bits, int count)
{
    uint32_t value = 0;
    for (; count > 0; count--) {
        if (bits->left == 0) {
            bits->short_of = true;
            return 0;
        }
        value = value << 1 | (bits->data[bits->at / 8] >> (7 - bits->at % 8) & 1);
        bits->at++;
        bits->left--;
    }
    return value;
}

/* Whether a frame says how large it is, as key frames do (VP9 bitstream specification, section 6.2). */
static bool key_vp9(const uint8_t *frame, size_t size)
{
    struct bits bits = {.data = frame, .left = 8 * (size < 32 ? size : 32)};
    if (take_bits(&bits, 2) != 2)
        return false;
    uint32_t profile = take_bits(&bits, 1);
    profile |= take_bits(&bits, 1) << 1;
    if (profile == 3)
        take_bits(&bits, 1);
    if (take_bits(&bits, 2) != 0) /* show_existing_frame; frame_type: 0 is a key frame */
        return false;
    take_bits(&bits, 2); /* show_frame, error_resilient_mode */
    if (take_bits(&bits, 24) != 0x498342)
        return false;
    if (profile >= 2)
        take_bits(&bits, 1); /* ten or twelve bits */
    if (take_bits(&bits, 3) != 7) {
        take_bits(&bits, 1); /* colour range */
        if (profile & 1)
            take_bits(&bits, 3); /* subsampling */
    } else if (profile & 1) {
        take_bits(&bits, 1);
    }
    take_bits(&bits, 32); /* width and height */
    return !bits.short_of;
}

static bool end_vp9(struct joiner *joiner, bool sure)
{
    (void)sure;
    if (joiner->no_memory)
        return false;
    int count = joiner->layers.count;
    joiner->key = key_vp9(joiner->picture.data, joiner->layers.sizes[0]);
    if (count == 1)
        return true;
    /* RTP left the superframe index away (VP9 bitstream specification, annex B) */
    uint8_t index[2 + 4 * SPATIAL_LAYERS];
    size_t size = 2 + 4 * (size_t)count;
    index[0] = index[size - 1] = (uint8_t)(0xc0 | 3 << 3 | (count - 1));
    for (int i = 0; i < count; i++)
        for (int byte = 0; byte < 4; byte++)
            index[1 + 4 * i + byte] = (uint8_t)(joiner->layers.sizes[i] >> 8 * byte);
    bytes_add(joiner, &joiner->picture, index, size);
    return true;
}

const struct payload_format format_vp8 = {take_vp8, end_vp8};
const struct payload_format format_vp9 = {take_vp9, end_vp9};
