/* Tell a publisher when its packets arrived: transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-
 * extensions-01, section 3.1). What comes late is told once more, with all that came after it. */

#include <string.h>

#include "plane.h"

#define TICK 250000LL /* ns */
#define TICKS_A_REFERENCE 256
#define PATIENCE (100 * MILLISECOND) /* from the first packet that is told of */
#define HURRY (50 * MILLISECOND)     /* where the last feedback told of so many: */
#define HURRY_PACKETS 20
#define MAX_WAITING 200        /* with so many a feedback leaves at once */
#define GRID (5 * MILLISECOND) /* the feedbacks of many publishers leave in few turns */
#define MAX_TOLD 400           /* arrivals a packet: 2 bytes for each, and chunks, are less than ARRIVALS_ROOM */
#define LOCAL_SSRC 1           /* as whom we report; libwebrtc's receivers say the same */
#define MAX_RUN 0x1fff
#define ONE_BIT 14
#define TWO_BITS 7

bool arrivals_note(struct arrivals *arrivals, int64_t now, uint16_t number, int64_t arrival, uint32_t ssrc)
{
    /* begins above 0, so that what is late at the beginning is not below it */
    uint64_t extended = arrivals->started
                            ? arrivals->highest + (uint64_t)(int64_t)(int16_t)(number - (uint16_t)arrivals->highest)
                            : 0x10000u + number;
    if (!arrivals->started || (int64_t)(extended - arrivals->highest) >= ARRIVALS) {
        /* the beginning, or a new one: nobody can say what became of the numbers between */
        memset(arrivals->ticks, 0, sizeof arrivals->ticks);
        arrivals->told = arrivals->highest = extended;
        arrivals->started = true;
    }
    for (; arrivals->highest < extended; arrivals->highest++)
        arrivals->ticks[(arrivals->highest + 1) % ARRIVALS] = 0;
    uint32_t *tick = &arrivals->ticks[extended % ARRIVALS];
    if (arrivals->highest - extended >= ARRIVALS || *tick != 0)
        return false;
    *tick = (uint32_t)(arrival / TICK);
    *tick += *tick == 0;
    arrivals->ssrc = ssrc;
    if (extended < arrivals->told)
        arrivals->told = extended;
    if (arrivals->highest - arrivals->told >= ARRIVALS)
        arrivals->told = arrivals->highest - ARRIVALS + 1;
    if (arrivals->waiting++ == 0) {
        int64_t due = now + (arrivals->patience != 0 ? arrivals->patience : PATIENCE);
        arrivals->due = (due + GRID - 1) / GRID * GRID;
    } else if (arrivals->waiting == MAX_WAITING) {
        arrivals->due = now;
    }
    return true;
}

static int all_of(const uint8_t *symbols, int count)
{
    int run = 1;
    while (run < count && run < MAX_RUN && symbols[run] == symbols[0])
        run++;
    return run;
}

static bool has_large(const uint8_t *symbols, int count)
{
    return memchr(symbols, 2, (size_t)(count < ONE_BIT ? count : ONE_BIT)) != NULL;
}

/* Write statuses (0 not received, 1 small delta, 2 large) as chunks; return what follows them. */
static uint8_t *put_chunks(const uint8_t *symbols, int count, uint8_t *out)
{
    for (int at = 0; at < count; out += 2) {
        int left = count - at;
        int run = all_of(symbols + at, left);
        bool large = has_large(symbols + at, left);
        uint16_t chunk;
        if (run >= ONE_BIT || run == left || (large && run >= TWO_BITS)) {
            chunk = (uint16_t)(symbols[at] << 13 | run);
            at += run;
        } else if (!large) {
            chunk = 0x8000;
            for (int i = 0; i < ONE_BIT && at < count; i++)
                chunk |= (uint16_t)(symbols[at++] << (ONE_BIT - 1 - i));
        } else {
            chunk = 0xc000;
            for (int i = 0; i < TWO_BITS && at < count; i++)
                chunk |= (uint16_t)(symbols[at++] << 2 * (TWO_BITS - 1 - i));
        }
        write_16(out, chunk);
    }
    return out;
}

size_t arrivals_tell(struct arrivals *arrivals, uint8_t *data)
{
    if (arrivals->told > arrivals->highest)
        return 0;
    if (arrivals->waiting > 0)
        arrivals->patience = arrivals->waiting >= HURRY_PACKETS ? HURRY : PATIENCE;
    arrivals->waiting = 0;
    uint8_t symbols[ARRIVALS], deltas[2 * MAX_TOLD];
    /* an empty receiver report comes first (RFC 3550, section 6.1) */
    memcpy(data, (uint8_t[]){0x80, 201, 0, 1}, 4);
    uint8_t *feedback = data + 8;
    int count = 0, arrived = 0, size = 0; /* `count` ends behind the last arrival */
    uint32_t last = 0, reference = 0;
    for (uint64_t number = arrivals->told; number <= arrivals->highest && arrived < MAX_TOLD; number++) {
        uint32_t tick = arrivals->ticks[number % ARRIVALS];
        int place = (int)(number - arrivals->told);
        symbols[place] = 0;
        if (tick == 0)
            continue;
        if (arrived == 0) {
            reference = tick / TICKS_A_REFERENCE;
            last = reference * TICKS_A_REFERENCE;
        }
        int32_t delta = (int32_t)(tick - last);
        if (delta < INT16_MIN || delta > INT16_MAX)
            break;
        bool small = delta >= 0 && delta <= UINT8_MAX;
        symbols[place] = small ? 1 : 2;
        if (!small)
            deltas[size++] = (uint8_t)((uint32_t)delta >> 8);
        deltas[size++] = (uint8_t)delta;
        last = tick;
        arrived++;
        count = place + 1;
    }
    write_32(data + 4, LOCAL_SSRC);
    feedback[0] = 0x80 | 15;
    feedback[1] = 205;
    write_32(feedback + 4, LOCAL_SSRC);
    write_32(feedback + 8, arrivals->ssrc);
    write_16(feedback + 12, (uint16_t)arrivals->told);
    write_16(feedback + 14, (uint16_t)count);
    write_32(feedback + 16, reference << 8 | arrivals->count++);
    uint8_t *end = put_chunks(symbols, count, feedback + 20);
    memcpy(end, deltas, (size_t)size);
    end += size;
    while ((end - feedback) % 4 != 0)
        *end++ = 0;
    write_16(feedback + 2, (uint16_t)((end - feedback) / 4 - 1));
    arrivals->told += (uint64_t)count;
    return (size_t)(end - data);
}

void wide_arrived(struct plane *plane, struct transport *transport, uint16_t number, int64_t arrival, uint32_t ssrc)
{
    struct arrivals *arrivals = transport->arrivals;
    if (arrivals == NULL || !arrivals_note(arrivals, plane->now, number, arrival, ssrc))
        return;
    if (!arrivals->listed) {
        arrivals->listed = true;
        arrivals->next = plane->telling;
        plane->telling = arrivals;
    }
    if (arrivals->due < plane->feedback_timer)
        plane->feedback_timer = arrivals->due;
}

void wide_tell(struct plane *plane)
{
    if (plane->now < plane->feedback_timer)
        return;
    plane->feedback_timer = INT64_MAX;
    struct arrivals **link = &plane->telling;
    while (*link != NULL) {
        struct arrivals *arrivals = *link;
        if (arrivals->due > plane->now) {
            if (arrivals->due < plane->feedback_timer)
                plane->feedback_timer = arrivals->due;
            link = &arrivals->next;
            continue;
        }
        uint8_t data[ARRIVALS_ROOM];
        for (size_t size; (size = arrivals_tell(arrivals, data)) > 0;)
            if (send_rtcp(plane, arrivals->transport, data, size))
                count_up(&arrivals->transport->feedback_out, 1);
        arrivals->listed = false;
        *link = arrivals->next;
    }
}

void wide_forget(struct plane *plane, struct arrivals *arrivals)
{
    struct arrivals **link = &plane->telling;
    while (*link != NULL && *link != arrivals)
        link = &(*link)->next;
    if (*link != NULL)
        *link = arrivals->next;
}
