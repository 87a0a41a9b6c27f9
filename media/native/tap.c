/* What the recorder is given: of several encodings the best that flows, as one stream. It changes at key frames only;
 * its timestamps are canonical, its numbers its own where there are several encodings, and neither runs backwards. */

#include "plane.h"

#define ALIVE (500 * MILLISECOND) /* a better encoding that sent something so lately is waited for */
#define SILENT SECOND             /* an encoding that sent nothing for so long is given up */
#define LOW_TAP 0x80000000u       /* media/plane.py */

static bool newer_or_equal(uint32_t timestamp, uint32_t than)
{
    return (int32_t)(timestamp - than) >= 0;
}

static bool better_is_alive(const struct producer *producer, const struct packet *packet)
{
    for (int i = packet->encoding->index + 1; i < producer->encoding_count; i++) {
        const struct encoding *better = &producer->encodings[i];
        if (better->offset_known && better->started &&
            packet->arrival - (int64_t)counted((counter *)&better->last_arrival) < ALIVE)
            return true;
    }
    return false;
}

/* Whether the copy goes on with this packet's encoding, or begins with it. */
static bool may_begin(const struct producer *producer, const struct packet *packet)
{
    const struct tapping *tapping = &producer->tapping;
    const struct encoding *encoding = packet->encoding;
    if (!packet->key_frame || !encoding->offset_known)
        return false;
    if (!tapping->chosen)
        return !better_is_alive(producer, packet);
    const struct encoding *current = &producer->encodings[tapping->encoding];
    if (!newer_or_equal(packet->timestamp + encoding->timestamp_offset, tapping->newest))
        return false;
    return encoding->index > tapping->encoding ||
           packet->arrival - (int64_t)counted((counter *)&current->last_arrival) > SILENT;
}

static void begin(struct producer *producer, const struct packet *packet)
{
    struct tapping *tapping = &producer->tapping;
    struct tapped *tapped = &tapping->tapped[packet->encoding->index];
    if (tapping->chosen)
        tapping->tapped[tapping->encoding].open = false;
    tapped->first = packet->sequence;
    tapped->end = packet->sequence;
    tapped->open = true;
    tapped->shift = tapping->highest + 1 - packet->sequence;
    /* a picture that was copied already, in another encoding, has a timestamp of its own */
    uint32_t timestamp = packet->timestamp + packet->encoding->timestamp_offset;
    tapping->doubled = tapping->chosen && timestamp == tapping->newest;
    tapping->doubled_timestamp = timestamp;
    tapping->chosen = true;
    tapping->encoding = packet->encoding->index;
}

static void put(struct plane *plane, const struct packet *packet, uint32_t producer, uint64_t sequence,
                uint32_t timestamp)
{
    uint8_t header[24 + 8];
    const struct layout *layout = &packet->layout;
    /* of redundant sound the newest block, as if it had come alone */
    unsigned newest = layout->newest != 0 ? layout->newest : layout->payload;
    unsigned size = layout->size - (newest - layout->payload);
    write_32(header, 24 - 4 + size);
    write_32(header + 4, producer);
    write_64(header + 8, (uint64_t)packet->arrival);
    write_64(header + 16, sequence);
    write_32(header + 24, read_32(packet->data));
    if (layout->newest != 0)
        header[25] = (uint8_t)((packet->data[1] & 0x80) | packet->encoding->producer->payload_type);
    write_32(header + 28, timestamp);
    if (!byte_ring_reserve(&plane->tap, 24u + size)) {
        drop(plane, DROP_TAP_FULL);
        return;
    }
    byte_ring_put(&plane->tap, header, sizeof header);
    byte_ring_put(&plane->tap, packet->data + 8, layout->payload - 8u);
    byte_ring_put(&plane->tap, packet->data + newest, layout->size - newest);
    byte_ring_publish(&plane->tap);
}

/* Of one encoding the numbers are its own, until it comes from elsewhere: then they go on after a gap. */
static void tap_one(struct plane *plane, struct producer *producer, const struct packet *packet, uint32_t timestamp)
{
    struct tapping *tapping = &producer->tapping;
    if (tapping->moved) {
        tapping->moved = false;
        tapping->first = packet->sequence;
        tapping->shift = tapping->highest != 0 ? tapping->highest + 2 - packet->sequence : 0;
    }
    if (packet->sequence < tapping->first)
        return;
    uint64_t sequence = packet->sequence + tapping->shift;
    if (sequence > tapping->highest)
        tapping->highest = sequence;
    put(plane, packet, (uint32_t)producer->id, sequence, timestamp);
}

void tap(struct plane *plane, const struct packet *packet)
{
    struct producer *producer = packet->encoding->producer;
    struct tapping *tapping = &producer->tapping;
    struct tapped *tapped = &tapping->tapped[packet->encoding->index];
    uint32_t timestamp = packet->timestamp + packet->encoding->timestamp_offset;
    if (producer->encoding_count == 1) {
        tap_one(plane, producer, packet, timestamp);
        return;
    }
    if ((!tapping->chosen || tapping->encoding != packet->encoding->index) && may_begin(producer, packet))
        begin(producer, packet);
    if (!tapping->chosen || packet->sequence < tapped->first || (!tapped->open && packet->sequence >= tapped->end))
        return;
    if (packet->sequence >= tapped->end)
        tapped->end = packet->sequence + 1;
    uint64_t sequence = packet->sequence + tapped->shift;
    if (sequence > tapping->highest)
        tapping->highest = sequence;
    if (newer_or_equal(timestamp, tapping->newest) || sequence == tapping->highest)
        tapping->newest = timestamp;
    bool doubled = tapping->doubled && timestamp == tapping->doubled_timestamp &&
                   tapping->encoding == packet->encoding->index;
    put(plane, packet, (uint32_t)producer->id, sequence, timestamp + doubled);
}

/* Beside the best: one encoding as it comes, once its frames have the producer's names. */
void tap_low(struct plane *plane, const struct packet *packet)
{
    struct producer *producer = packet->encoding->producer;
    struct low_tap *low = &producer->low_tap;
    if (packet->encoding->index != low->encoding || !packet->encoding->offset_known)
        return;
    if (low->anew) {
        low->anew = false;
        low->first = packet->sequence;
        low->shift = low->highest + 2 - packet->sequence;
    }
    if (packet->sequence < low->first)
        return;
    uint64_t sequence = packet->sequence + low->shift;
    if (sequence > low->highest)
        low->highest = sequence;
    put(plane, packet, (uint32_t)producer->id | LOW_TAP, sequence,
        packet->timestamp + packet->encoding->timestamp_offset);
}

void tap_low_choose(struct producer *producer, int encoding)
{
    struct low_tap *low = &producer->low_tap;
    low->on = encoding >= 0;
    low->anew = true;
    low->encoding = (uint8_t)(low->on ? encoding : 0);
}

void tap_forget(struct producer *producer, int encoding)
{
    if (encoding == producer->low_tap.encoding)
        producer->low_tap.anew = true;
    struct tapping *tapping = &producer->tapping;
    for (int i = 0; i < MAX_ENCODINGS; i++)
        if (encoding < 0 || encoding == i)
            tapping->tapped[i] = (struct tapped){0};
    if (encoding < 0 || encoding == tapping->encoding)
        tapping->chosen = false;
}
