/* FlexFEC (draft-ietf-payload-flexible-fec-scheme-03) over a consumer's packets, as browsers read it: R = 0, F = 0,
 * one stream, a mask of 15 or 46 bits. A protection packet is the exclusive or of the packets in its mask: whoever
 * has all of them but one has that one too. Losses come in bursts, so neighbours are spread over four sums. A block
 * ends when it has earned four protection packets, or with a frame: then the sums are put together to as many as
 * have been earned. */

#include <string.h>

#include "plane.h"

#define MAX_SPAN 46 /* numbers that a mask of two parts holds */
#define SHORT_SPAN 15
#define COST 1024 /* what a protection packet takes of the credit that packets earn */
#define HEADER 20 /* with the short mask; 4 more with the long one */

static void begin(struct protection *protection)
{
    protection->count = 0;
    for (int i = 0; i < PROTECTION_SUMS; i++) {
        struct protection_sum *sum = &protection->sums[i];
        memset(sum->rest, 0, (size_t)sum->longest);
        sum->mask = 0;
        sum->first = sum->second = 0;
        sum->length = 0;
        sum->timestamp = 0;
        sum->longest = 0;
    }
}

void protection_set_share(struct protection *protection, int share)
{
    protection->share = share;
    protection->credit = 0;
    begin(protection);
}

/* Whole words: both have room for the last one, and nothing but zeros behind their ends. */
static void add_rest(struct protection_sum *sum, const uint8_t *rest, int size)
{
    int at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t mine, others;
        memcpy(&mine, sum->rest + at, 8);
        memcpy(&others, rest + at, 8);
        mine ^= others;
        memcpy(sum->rest + at, &mine, 8);
    }
    for (; at < size; at++)
        sum->rest[at] ^= rest[at];
    sum->longest = size > sum->longest ? size : sum->longest;
}

static void merge(struct protection_sum *sum, const struct protection_sum *other)
{
    sum->mask |= other->mask;
    sum->first ^= other->first;
    sum->second ^= other->second;
    sum->length ^= other->length;
    sum->timestamp ^= other->timestamp;
    add_rest(sum, other->rest, other->longest);
}

/* Count the values of abs-send-time and of the transport-wide number as zeros: libwebrtc does, on both sides, since
 * they are written when a packet leaves. `packet` is one of ours: its lengths are right. */
static void take_out_mutable(struct protection_sum *sum, const uint8_t *ids, const uint8_t *packet)
{
    int at = 12 + 4 * (packet[0] & 15);
    if (!(packet[0] & 0x10))
        return;
    bool one_byte = read_16(packet + at) == 0xbede;
    int end = at + 4 + 4 * read_16(packet + at + 2);
    for (at += 4; at < end;) {
        if (packet[at] == 0) {
            at++;
            continue;
        }
        int id = one_byte ? packet[at] >> 4 : packet[at];
        int length = one_byte ? (packet[at] & 15) + 1 : packet[at + 1];
        at += one_byte ? 1 : 2;
        if (id == ids[EXTENSION_ABS_SEND_TIME] || id == ids[EXTENSION_TRANSPORT_WIDE])
            for (int i = at; i < at + length; i++)
                sum->rest[i - 12] ^= packet[i];
        at += length;
    }
}

int protection_add(struct protection *protection, const uint8_t *ids, const uint8_t *packet, int size, uint64_t out)
{
    if (protection->share == 0)
        return 0;
    if (protection->count > 0) {
        if (out <= protection->newest)
            return 0; /* behind newer ones: it is not protected */
        if (out - protection->base >= MAX_SPAN)
            begin(protection);
    }
    if (protection->count == 0)
        protection->base = out;
    protection->newest = out;
    struct protection_sum *sum = &protection->sums[protection->count++ % PROTECTION_SUMS];
    sum->mask |= 1ull << (out - protection->base);
    sum->first ^= packet[0];
    sum->second ^= packet[1];
    sum->length ^= (uint16_t)(size - 12);
    sum->timestamp ^= read_32(packet + 4);
    add_rest(sum, packet + 12, size - 12);
    take_out_mutable(sum, ids, packet);
    protection->credit += protection->share;
    if (protection->credit > PROTECTION_SUMS * COST)
        protection->credit = PROTECTION_SUMS * COST;
    bool full = out - protection->base == MAX_SPAN - 1, frame_ends = packet[1] & 0x80;
    if (protection->credit == PROTECTION_SUMS * COST)
        return PROTECTION_SUMS;
    return full || frame_ends ? protection->credit / COST : 0;
}

/* The payload of a protection packet (section 4.2); returns its size, 0 when it does not fit. */
static int write_payload(const struct protection *protection, const struct protection_sum *sum, uint32_t ssrc,
                         uint8_t *out, int room)
{
    uint64_t bits = 0; /* the first number is the most significant bit behind k, which says that the mask ends */
    for (int place = 0; place < MAX_SPAN; place++)
        bits |= (sum->mask >> place & 1) << (MAX_SPAN - 1 - place);
    uint16_t part = (uint16_t)(bits >> (MAX_SPAN - SHORT_SPAN));
    uint32_t more = (uint32_t)(bits & ((1ull << (MAX_SPAN - SHORT_SPAN)) - 1));
    int header = more == 0 ? HEADER : HEADER + 4;
    if (header + sum->longest > room)
        return 0;
    out[0] = sum->first & 0x3f;
    out[1] = sum->second;
    write_16(out + 2, sum->length);
    write_32(out + 4, sum->timestamp);
    write_32(out + 8, 1u << 24); /* one stream */
    write_32(out + 12, ssrc);
    write_16(out + 16, (uint16_t)protection->base);
    write_16(out + 18, more == 0 ? (uint16_t)(0x8000 | part) : part);
    if (more != 0)
        write_32(out + 20, 1u << 31 | more);
    memcpy(out + header, sum->rest, (size_t)sum->longest);
    return header + sum->longest;
}

void protection_send(struct plane *plane, struct consumer *consumer, int packets, uint32_t timestamp)
{
    struct protection *protection = consumer->protection;
    for (int i = packets; i < PROTECTION_SUMS; i++)
        merge(&protection->sums[i % packets], &protection->sums[i]);
    for (int i = 0; i < packets; i++) {
        if (protection->sums[i].mask == 0)
            continue;
        uint8_t *room = forward_room(plane);
        int size = write_own_header(plane, consumer, consumer->fec_payload_type, consumer->fec_sequence,
                                    timestamp, consumer->fec_ssrc, room);
        int payload = write_payload(protection, &protection->sums[i], consumer->ssrc, room + size,
                                    MAX_DATAGRAM - size);
        if (payload == 0) {
            drop(plane, DROP_TOO_LARGE);
            continue;
        }
        if (forward_own(plane, consumer, size + payload, SENDING_PROTECTION))
            consumer->fec_sequence++;
    }
    protection->credit -= packets * COST;
    begin(protection);
}
