/* RTP headers: their parts (RFC 3550, section 5.1), and header extensions in and out (RFC 8285). */

#include <string.h>

#include "plane.h"

#define ONE_BYTE_PROFILE 0xbede
#define TWO_BYTE_PROFILE 0x1000 /* and 4 bits of the application's */
#define ANNOUNCED 4 /* packets that say the capture time where something begins */
#define MAX_SHORT_EXTENSIONS 80 /* more than all of a consumer's in the one-byte form but the descriptor */

static void note_extension(struct layout *layout, const uint8_t *ids, int id, size_t at, size_t length)
{
    /* of equal ids the first counts */
    if (id == ids[EXTENSION_ABS_CAPTURE_TIME] && (length == 8 || length == 16) && layout->capture_time == 0) {
        layout->capture_time = (uint16_t)at;
        layout->capture_time_size = (uint8_t)length;
    } else if (id == ids[EXTENSION_AUDIO_LEVEL] && length == 1 && layout->audio_level == 0) {
        layout->audio_level = (uint16_t)at;
    } else if (id == ids[EXTENSION_DEPENDENCY_DESCRIPTOR] && length >= 3 && layout->descriptor == 0) {
        layout->descriptor = (uint16_t)at;
        layout->descriptor_size = (uint8_t)length;
    } else if (id == ids[EXTENSION_VIDEO_ORIENTATION] && length == 1 && layout->orientation == 0) {
        layout->orientation = (uint16_t)at;
    } else if (id == ids[EXTENSION_TRANSPORT_WIDE] && (length == 2 || length == 4) && layout->wide == 0) {
        layout->wide = (uint16_t)at;
    }
}

/* The extensions in [at, end); false when a length lies. */
static bool parse_extensions(const uint8_t *data, size_t at, size_t end, bool one_byte, const uint8_t *ids,
                             struct layout *layout)
{
    while (at < end) {
        if (data[at] == 0) { /* padding between elements */
            at++;
            continue;
        }
        int id;
        size_t length;
        if (one_byte) {
            id = data[at] >> 4;
            length = (size_t)(data[at] & 15) + 1;
            if (id == 15 || id == 0) /* reserved, or padding with a length: stop here (RFC 8285, section 4.2) */
                return true;
            at += 1;
        } else {
            if (end - at < 2)
                return false;
            id = data[at];
            length = data[at + 1];
            at += 2;
        }
        if (length > end - at)
            return false;
        if (ids != NULL && id != 0)
            note_extension(layout, ids, id, at, length);
        at += length;
    }
    return true;
}

bool parse_packet(const uint8_t *data, size_t size, const uint8_t *extension_ids, struct layout *layout)
{
    memset(layout, 0, sizeof *layout);
    if (size < 12 || size > UINT16_MAX || data[0] >> 6 != 2)
        return false;
    size_t at = 12 + 4 * (size_t)(data[0] & 15);
    if (at > size)
        return false;
    if (data[0] & 0x10) {
        if (size - at < 4)
            return false;
        uint16_t profile = read_16(data + at);
        size_t length = 4 * (size_t)read_16(data + at + 2);
        at += 4;
        if (length > size - at)
            return false;
        bool one_byte = profile == ONE_BYTE_PROFILE;
        if ((one_byte || (profile & 0xfff0) == TWO_BYTE_PROFILE) &&
            !parse_extensions(data, at, at + length, one_byte, extension_ids, layout))
            return false;
        at += length;
    }
    if (data[0] & 0x20) {
        layout->padding = size > at ? data[size - 1] : 0;
        if (layout->padding == 0 || layout->padding > size - at)
            return false;
    }
    layout->size = (uint16_t)size;
    layout->payload = (uint16_t)at;
    return true;
}

bool parse_layout(const uint8_t *data, size_t size, const uint8_t *extension_ids, struct layout *layout)
{
    return size <= MAX_DATAGRAM && parse_packet(data, size, extension_ids, layout);
}

static inline uint8_t *put(uint8_t *at, int id, const void *value, size_t size)
{
    *at++ = (uint8_t)(id << 4 | (int)(size - 1));
    memcpy(at, value, size);
    return at + size;
}

int write_fixed_extensions(const uint8_t *ids, const char *mid, size_t mid_size, int min_delay, int max_delay,
                           uint8_t *out)
{
    uint8_t *at = out;
    if (ids[EXTENSION_MID] != 0 && mid_size > 0)
        at = put(at, ids[EXTENSION_MID], mid, mid_size);
    if (ids[EXTENSION_PLAYOUT_DELAY] != 0) {
        /* 12 bits each, in steps of 10 ms */
        uint32_t delay = (uint32_t)(min_delay / 10) << 12 | (uint32_t)(max_delay / 10);
        uint8_t value[3] = {(uint8_t)(delay >> 16), (uint8_t)(delay >> 8), (uint8_t)delay};
        at = put(at, ids[EXTENSION_PLAYOUT_DELAY], value, sizeof value);
    }
    return (int)(at - out);
}

/* What each sending has of its own: when, and the how manieth of the transport. */
static inline uint8_t *put_sending(struct consumer *consumer, int64_t now, uint8_t *at)
{
    const uint8_t *ids = consumer->extension_ids;
    if (ids[EXTENSION_ABS_SEND_TIME] != 0) {
        /* 24 bits: seconds as 6.18 fixed point */
        uint64_t time = (uint64_t)(now / SECOND) << 18 | ((uint64_t)(now % SECOND) << 18) / (uint64_t)SECOND;
        uint8_t value[3] = {(uint8_t)(time >> 16), (uint8_t)(time >> 8), (uint8_t)time};
        at = put(at, ids[EXTENSION_ABS_SEND_TIME], value, sizeof value);
    }
    if (ids[EXTENSION_TRANSPORT_WIDE] != 0) {
        uint8_t value[2];
        write_16(value, consumer->transport->wide_sequence); /* it counts up when the packet is queued */
        at = put(at, ids[EXTENSION_TRANSPORT_WIDE], value, sizeof value);
    }
    return at;
}

static inline int finish(uint8_t *out, uint8_t *at)
{
    if (at == out + 4)
        return 0;
    while ((at - out) % 4 != 0)
        *at++ = 0;
    write_16(out, ONE_BYTE_PROFILE);
    write_16(out + 2, (uint16_t)((at - out) / 4 - 1));
    return (int)(at - out);
}

/* The same elements in the two-byte form (RFC 8285, section 4.3), which takes longer ones; return its end. */
static uint8_t *lengthen(uint8_t *out, const uint8_t *end)
{
    uint8_t copy[MAX_SHORT_EXTENSIONS];
    size_t size = (size_t)(end - out) - 4;
    memcpy(copy, out + 4, size);
    uint8_t *at = out + 4;
    for (size_t from = 0; from < size;) {
        size_t length = (size_t)(copy[from] & 15) + 1;
        *at++ = copy[from] >> 4;
        *at++ = (uint8_t)length;
        memcpy(at, copy + from + 1, length);
        at += length;
        from += 1 + length;
    }
    return at;
}

/* The dependency descriptor, with the frame number by which the consumer knows the frame; it ends the block. */
static int put_descriptor(const struct consumer *consumer, const struct packet *packet, uint16_t frame_number,
                          uint8_t *out, uint8_t *at)
{
    size_t length = packet->layout.descriptor_size;
    uint8_t id = consumer->extension_ids[EXTENSION_DEPENDENCY_DESCRIPTOR];
    bool two_byte = length > 16;
    if (two_byte) {
        at = lengthen(out, at);
        *at++ = id;
        *at++ = (uint8_t)length;
    } else {
        *at++ = (uint8_t)(id << 4 | (length - 1));
    }
    memcpy(at, packet->data + packet->layout.descriptor, length);
    if (packet->place.numbered)
        write_16(at + 1, (uint16_t)(read_16(at + 1) + frame_number));
    int size = finish(out, at + length);
    if (two_byte)
        write_16(out, TWO_BYTE_PROFILE);
    return size;
}

/* The capture time that was told last, carried on to this timestamp. */
static uint8_t *put_capture_time(const struct consumer *consumer, uint32_t timestamp, uint8_t *at)
{
    const struct capture *capture = &consumer->announced;
    int64_t later = (int32_t)(timestamp - capture->timestamp);
    uint8_t value[16];
    write_64(value, capture->time + (uint64_t)(later * (INT64_C(1) << 32) / (int64_t)consumer->producer->clock_rate));
    write_64(value + 8, (uint64_t)capture->offset);
    return put(at, consumer->extension_ids[EXTENSION_ABS_CAPTURE_TIME], value, capture->with_offset ? 16 : 8);
}

/* Write the consumer's extension block, in the one-byte form where it fits; return its size, 0 when there is none. */
int write_extensions(struct consumer *consumer, const struct packet *packet, const struct run *run, uint64_t number,
                     int64_t now, uint8_t *out)
{
    const uint8_t *ids = consumer->extension_ids;
    uint8_t *at = out + 4;
    /* the room behind is written next: so all of it may be copied, in one go */
    memcpy(at, consumer->fixed_extensions, MAX_FIXED_EXTENSIONS);
    at += consumer->fixed_size;
    at = put_sending(consumer, now, at);
    if (ids[EXTENSION_ABS_CAPTURE_TIME] != 0 && packet->layout.capture_time != 0) {
        const uint8_t *value = packet->data + packet->layout.capture_time;
        bool with_offset = packet->layout.capture_time_size == 16;
        at = put(at, ids[EXTENSION_ABS_CAPTURE_TIME], value, 8);
        if (with_offset) {
            write_64(at, (uint64_t)packet->capture_offset);
            at[-9] += 8; /* the length, before the value */
            at += 8;
        }
    } else if (ids[EXTENSION_ABS_CAPTURE_TIME] != 0 && number - consumer->announced_from < ANNOUNCED &&
               consumer->announced.known) {
        at = put_capture_time(consumer, packet->timestamp + run->naming.timestamp, at);
    }
    if (ids[EXTENSION_AUDIO_LEVEL] != 0 && packet->layout.audio_level != 0)
        at = put(at, ids[EXTENSION_AUDIO_LEVEL], packet->data + packet->layout.audio_level, 1);
    if (ids[EXTENSION_VIDEO_ORIENTATION] != 0 && packet->layout.orientation != 0)
        at = put(at, ids[EXTENSION_VIDEO_ORIENTATION], packet->data + packet->layout.orientation, 1);
    if (ids[EXTENSION_DEPENDENCY_DESCRIPTOR] == 0 || packet->layout.descriptor == 0)
        return finish(out, at);
    return put_descriptor(consumer, packet, run->naming.frame_number, out, at);
}

int write_own_extensions(struct consumer *consumer, int64_t now, uint8_t *out)
{
    return finish(out, put_sending(consumer, now, out + 4));
}
