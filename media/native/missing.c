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

void missing_gap(struct plane *plane, struct producer *producer, uint64_t first, uint64_t end)
{
    if (!producer->nack || producer->transport == NULL)
        return;
    size_t more = (size_t)(end - first);
    size_t keep = MAX_MISSING - more; /* a gap is at most RESTART_JUMP, which is less */
    if ((size_t)producer->missing_count > keep) {
        size_t gone = (size_t)producer->missing_count - keep;
        memmove(producer->missing, producer->missing + gone, keep * sizeof *producer->missing);
        producer->missing_count = (int)keep;
    }
    for (uint64_t sequence = first; sequence < end; sequence++)
        producer->missing[producer->missing_count++] = (struct missing){
            .sequence = sequence, .noticed = plane->now, .due = plane->now + REORDER_PATIENCE};
    if (plane->nack_timer > plane->now + REORDER_PATIENCE)
        plane->nack_timer = plane->now + REORDER_PATIENCE;
}

void missing_hurry(struct plane *plane, struct producer *producer)
{
    uint64_t highest = counted(&producer->highest);
    for (int i = producer->missing_count - 1; i >= 0 && producer->missing[i].asked == 0; i--) {
        struct missing *missing = &producer->missing[i];
        if (highest - missing->sequence < REORDER_PACKETS)
            continue;
        if (missing->due <= plane->now)
            return; /* and all before it too */
        missing->due = plane->now;
        plane->nack_timer = plane->now;
    }
}

static int find(const struct producer *producer, uint64_t sequence)
{
    int low = 0, high = producer->missing_count;
    while (low < high) {
        int middle = (low + high) / 2;
        if (producer->missing[middle].sequence < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low < producer->missing_count && producer->missing[low].sequence == sequence ? low : -1;
}

bool missing_waits(const struct producer *producer, uint64_t sequence)
{
    return find(producer, sequence) >= 0;
}

bool missing_arrived(struct producer *producer, uint64_t sequence)
{
    int at = find(producer, sequence);
    if (at < 0)
        return false;
    bool asked = producer->missing[at].asked > 0;
    producer->missing_count--;
    memmove(producer->missing + at, producer->missing + at + 1,
            (size_t)(producer->missing_count - at) * sizeof *producer->missing);
    return asked;
}

/* An empty receiver report first, as RFC 3550, 6.1 wants it, then the NACK. */
static void send_nack(struct plane *plane, struct producer *producer, const uint16_t *lost, int count)
{
    uint8_t data[8 + 12 + 4 * MAX_FCI] = {0x80, 201, 0, 1};
    uint8_t *nack = data + 8;
    write_32(data + 4, LOCAL_SSRC);
    nack[0] = 0x81; /* FMT 1 */
    nack[1] = 205;
    write_32(nack + 4, LOCAL_SSRC);
    write_32(nack + 8, producer->ssrc);
    int entries = 0;
    for (int i = 0; i < count; entries++) {
        uint16_t base = lost[i++], following = 0;
        for (; i < count && (uint16_t)(lost[i] - base) <= 16; i++)
            following |= (uint16_t)(1 << (uint16_t)(lost[i] - base - 1));
        write_16(nack + 12 + 4 * entries, base);
        write_16(nack + 14 + 4 * entries, following);
    }
    write_16(nack + 2, (uint16_t)(2 + entries));
    if (send_rtcp(plane, producer->transport, data, (size_t)(8 + 12 + 4 * entries)))
        count_up(&producer->nacks_sent, (uint64_t)count);
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
static void ask_producer(struct plane *plane, struct producer *producer)
{
    uint16_t lost[MAX_FCI];
    int count = 0, kept = 0;
    int64_t again = plane->now + retry_after(producer->transport);
    for (int i = 0; i < producer->missing_count; i++) {
        struct missing missing = producer->missing[i];
        if (missing.due <= plane->now) {
            if (missing.asked >= ASK_TIMES || plane->now - missing.noticed >= ASK_FOR)
                continue;
            if (count == MAX_FCI) {
                send_nack(plane, producer, lost, count);
                count = 0;
            }
            lost[count++] = (uint16_t)missing.sequence;
            missing.asked++;
            missing.due = again;
        }
        if (missing.due < plane->nack_timer)
            plane->nack_timer = missing.due;
        producer->missing[kept++] = missing;
    }
    producer->missing_count = kept;
    if (count > 0)
        send_nack(plane, producer, lost, count);
}

void missing_ask(struct plane *plane)
{
    if (plane->now < plane->nack_timer)
        return;
    plane->nack_timer = INT64_MAX;
    for (struct transport *transport = plane->transports; transport != NULL; transport = transport->next)
        for (struct producer *producer = transport->producers; producer != NULL; producer = producer->next)
            if (producer->missing_count > 0)
                ask_producer(plane, producer);
}
