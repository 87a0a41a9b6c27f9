/* Ask a sender again for what it sent and we did not get: generic NACK (RFC 4585, section 6.2.1). */

#include <string.h>

#include "plane.h"

#define REORDER_PATIENCE (5 * MILLISECOND) /* a packet that was only overtaken comes within this time, */
#define REORDER_PACKETS 3                  /* or before this many others */
#define ASK_EVERY (40 * MILLISECOND) /* while the round trip is not known */
#define ASK_AT_MOST_EVERY (20 * MILLISECOND)
#define ASK_TIMES 10
#define ASK_FOR SECOND
#define LOCAL_SSRC 1   /* as whom we report; libwebrtc's receivers say the same */
#define MAX_FCI 256    /* entries a packet, 4 bytes each */

void missing_gap(struct plane *plane, struct encoding *encoding, uint64_t first, uint64_t end)
{
    if (!encoding->producer->nack || encoding->producer->transport == NULL)
        return;
    size_t more = (size_t)(end - first);
    size_t keep = MAX_MISSING - more; /* a gap is at most RESTART_JUMP, which is less */
    if ((size_t)encoding->missing_count > keep) {
        size_t gone = (size_t)encoding->missing_count - keep;
        memmove(encoding->missing, encoding->missing + gone, keep * sizeof *encoding->missing);
        encoding->missing_count = (int)keep;
    }
    for (uint64_t sequence = first; sequence < end; sequence++)
        encoding->missing[encoding->missing_count++] = (struct missing){
            .sequence = sequence, .noticed = plane->now, .due = plane->now + REORDER_PATIENCE};
    if (plane->nack_timer > plane->now + REORDER_PATIENCE)
        plane->nack_timer = plane->now + REORDER_PATIENCE;
}

void missing_hurry(struct plane *plane, struct encoding *encoding)
{
    uint64_t highest = counted(&encoding->highest);
    for (int i = encoding->missing_count - 1; i >= 0 && encoding->missing[i].asked == 0; i--) {
        struct missing *missing = &encoding->missing[i];
        if (highest - missing->sequence < REORDER_PACKETS)
            continue;
        if (missing->due <= plane->now)
            return; /* and all before it too */
        missing->due = plane->now;
        plane->nack_timer = plane->now;
    }
}

static int find(const struct encoding *encoding, uint64_t sequence)
{
    int low = 0, high = encoding->missing_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (encoding->missing[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low < encoding->missing_count && encoding->missing[low].sequence == sequence ? low : -1;
}

bool missing_waits(const struct encoding *encoding, uint64_t sequence)
{
    return find(encoding, sequence) >= 0;
}

bool missing_arrived(struct encoding *encoding, uint64_t sequence)
{
    int at = find(encoding, sequence);
    if (at < 0)
        return false;
    bool asked = encoding->missing[at].asked > 0;
    encoding->missing_count--;
    memmove(encoding->missing + at, encoding->missing + at + 1,
            (size_t)(encoding->missing_count - at) * sizeof *encoding->missing);
    return asked;
}

/* An empty receiver report first, as RFC 3550, 6.1 wants it, then the NACK. */
static void send_nack(struct plane *plane, struct encoding *encoding, const uint16_t *lost, int count)
{
    uint8_t data[8 + 12 + 4 * MAX_FCI] = {0x80, 201, 0, 1};
    uint8_t *nack = data + 8;
    write_32(data + 4, LOCAL_SSRC);
    nack[0] = 0x81; /* FMT 1 */
    nack[1] = 205;
    write_32(nack + 4, LOCAL_SSRC);
    write_32(nack + 8, encoding->ssrc);
    int entries = 0;
    for (int i = 0; i < count; entries++) {
        uint16_t base = lost[i++], following = 0;
        for (; i < count && (uint16_t)(lost[i] - base) <= 16; i++)
            following |= (uint16_t)(1 << (uint16_t)(lost[i] - base - 1));
        write_16(nack + 12 + 4 * entries, base);
        write_16(nack + 14 + 4 * entries, following);
    }
    write_16(nack + 2, (uint16_t)(2 + entries));
    if (send_rtcp(plane, encoding->producer->transport, data, (size_t)(8 + 12 + 4 * entries)))
        count_up(&encoding->nacks_sent, (uint64_t)count);
}

/* How long an answer may take: a round trip and some more. */
static int64_t retry_after(const struct transport *transport)
{
    if (transport->round_trip == 0)
        return ASK_EVERY;
    int64_t interval = transport->round_trip * 11 / 10;
    return interval > ASK_AT_MOST_EVERY ? interval : ASK_AT_MOST_EVERY;
}

/* Ask for what is due; forget what was asked for often enough. */
static void ask_encoding(struct plane *plane, struct encoding *encoding)
{
    uint16_t lost[MAX_FCI];
    int count = 0, kept = 0;
    int64_t again = plane->now + retry_after(encoding->producer->transport);
    for (int i = 0; i < encoding->missing_count; i++) {
        struct missing missing = encoding->missing[i];
        if (missing.due <= plane->now) {
            if (missing.asked >= ASK_TIMES || plane->now - missing.noticed >= ASK_FOR)
                continue;
            if (count == MAX_FCI) {
                send_nack(plane, encoding, lost, count);
                count = 0;
            }
            lost[count++] = (uint16_t)missing.sequence;
            missing.asked++;
            missing.due = again;
        }
        if (missing.due < plane->nack_timer)
            plane->nack_timer = missing.due;
        encoding->missing[kept++] = missing;
    }
    encoding->missing_count = kept;
    if (count > 0)
        send_nack(plane, encoding, lost, count);
}

void missing_ask(struct plane *plane)
{
    if (plane->now < plane->nack_timer)
        return;
    plane->nack_timer = INT64_MAX;
    for (struct transport *transport = plane->transports; transport != NULL; transport = transport->next)
        for (struct producer *producer = transport->producers; producer != NULL; producer = producer->next)
            for (int i = 0; i < producer->encoding_count; i++)
                if (producer->encodings[i].missing_count > 0)
                    ask_encoding(plane, &producer->encodings[i]);
}
