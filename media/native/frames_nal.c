/* H.264 (RFC 6184, packetisation mode 1) and H.265 (RFC 7798, without DONL) into Annex B: single NAL units, aggregates and
 * fragments. */

#include "frames.h"

#define STARTS 0x80
#define ENDS 0x40

static int kind_h264(const uint8_t *unit)
{
    return unit[0] & 31;
}

static int kind_h265(const uint8_t *unit)
{
    return unit[0] >> 1 & 63;
}

int set_of_h264(const uint8_t *unit, size_t size)
{
    int kind = size > 0 ? kind_h264(unit) : 0;
    return kind == 7 || kind == 8 ? kind - 6 : -1; /* a sequence's and a picture's */
}

int set_of_h265(const uint8_t *unit, size_t size)
{
    int kind = size > 0 ? kind_h265(unit) : 0;
    return kind >= 32 && kind <= 34 ? kind - 32 : -1;
}

static size_t begin_unit(struct joiner *joiner)
{
    bytes_add(joiner, &joiner->picture, "\0\0\0\1", 4);
    return joiner->picture.size;
}

/* Note what the unit is that begins there and has its end now. */
static void end_unit(struct joiner *joiner, size_t begin, bool h264)
{
    if (joiner->no_memory)
        return;
    struct nal_units *nal = &joiner->nal;
    const uint8_t *unit = joiner->picture.data + begin;
    size_t size = joiner->picture.size - begin;
    int kind = h264 ? kind_h264(unit) : kind_h265(unit);
    if (h264 ? kind >= 1 && kind <= 5 : kind < 32) {
        if (!nal->pictures) {
            /* first_mb_in_slice is 0, or first_slice_segment_in_pic_flag is set */
            size_t head = h264 ? 1 : 2;
            nal->begins = size > head && (unit[head] & 0x80);
            nal->pictures = nal->keys = true;
        }
        nal->keys &= h264 ? kind == 5 : kind >= 16 && kind <= 21;
    }
    int set = h264 ? set_of_h264(unit, size) : set_of_h265(unit, size);
    if (set >= 0) {
        nal->present |= 1u << set;
        nal->set_at[set] = begin;
        nal->set_size[set] = size;
    }
}

static void whole_unit(struct joiner *joiner, const uint8_t *unit, size_t size, bool h264)
{
    size_t begin = begin_unit(joiner);
    bytes_add(joiner, &joiner->picture, unit, size);
    end_unit(joiner, begin, h264);
}

static bool aggregate(struct joiner *joiner, const uint8_t *payload, size_t size, bool h264)
{
    for (size_t at = h264 ? 1 : 2; at < size;) {
        if (size - at < 2)
            return false;
        size_t length = read_16(payload + at);
        at += 2;
        if (length == 0 || length > size - at)
            return false;
        whole_unit(joiner, payload + at, length, h264);
        at += length;
    }
    return true;
}

/* `flags` and the unit's own header are what a fragment begins with. */
static bool fragment(struct joiner *joiner, uint8_t flags, const uint8_t *header, const uint8_t *data, size_t size,
                     bool h264)
{
    struct nal_units *nal = &joiner->nal;
    if (flags & STARTS) {
        if (nal->open)
            return false;
        nal->open = true;
        nal->begin = begin_unit(joiner);
        bytes_add(joiner, &joiner->picture, header, h264 ? 1 : 2);
    } else if (!nal->open) {
        return false;
    }
    bytes_add(joiner, &joiner->picture, data, size);
    if (flags & ENDS) {
        nal->open = false;
        end_unit(joiner, nal->begin, h264);
    }
    return true;
}

static bool take_h264(struct joiner *joiner, const uint8_t *payload, size_t size, bool first, bool sure)
{
    (void)first, (void)sure;
    int kind = kind_h264(payload);
    if (joiner->taken > MAX_FRAME_LENGTH)
        return false;
    if (kind == 28) { /* FU-A */
        if (size < 3)
            return false;
        uint8_t header = (uint8_t)((payload[0] & 0xe0) | (payload[1] & 0x1f));
        return fragment(joiner, payload[1], &header, payload + 2, size - 2, true);
    }
    if (joiner->nal.open)
        return false;
    if (kind == 24) /* STAP-A */
        return aggregate(joiner, payload, size, true);
    if (kind == 0 || kind > 24)
        return false;
    whole_unit(joiner, payload, size, true);
    return true;
}

static bool take_h265(struct joiner *joiner, const uint8_t *payload, size_t size, bool first, bool sure)
{
    (void)first, (void)sure;
    if (size < 2 || joiner->taken > MAX_FRAME_LENGTH)
        return false;
    int kind = kind_h265(payload);
    if (kind == 49) { /* a fragment */
        if (size < 4)
            return false;
        uint8_t header[2] = {(uint8_t)((payload[0] & 0x81) | (payload[2] & 0x3f) << 1), payload[1]};
        return fragment(joiner, payload[2], header, payload + 3, size - 3, false);
    }
    if (joiner->nal.open)
        return false;
    if (kind == 48)
        return aggregate(joiner, payload, size, false);
    if (kind > 49)
        return false;
    whole_unit(joiner, payload, size, false);
    return true;
}

static void keep_sets(struct joiner *joiner)
{
    const struct nal_units *nal = &joiner->nal;
    for (int i = 0; i < PARAMETER_SETS; i++)
        if (nal->present & 1u << i) {
            joiner->sets[i].size = 0;
            bytes_add(joiner, &joiner->sets[i], joiner->picture.data + nal->set_at[i], nal->set_size[i]);
        }
}

static bool end_units(struct joiner *joiner, bool sure, unsigned needed)
{
    const struct nal_units *nal = &joiner->nal;
    if (joiner->no_memory || nal->open)
        return false;
    if (nal->pictures && !sure && !nal->begins)
        return false;
    keep_sets(joiner);
    if (!nal->pictures)
        return false;
    joiner->key = nal->keys;
    if (nal->keys) {
        /* those that a key frame did not bring are put before it */
        joiner->absent = needed & ~nal->present;
        for (int i = 0; i < PARAMETER_SETS; i++)
            if (joiner->absent & 1u << i && joiner->sets[i].size == 0)
                return false;
    }
    return true;
}

static bool end_h264(struct joiner *joiner, bool sure)
{
    return end_units(joiner, sure, 6);
}

static bool end_h265(struct joiner *joiner, bool sure)
{
    return end_units(joiner, sure, 7);
}

const struct payload_format format_h264 = {take_h264, end_h264};
const struct payload_format format_h265 = {take_h265, end_h265};
