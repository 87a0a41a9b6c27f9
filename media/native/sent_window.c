/* What a transport was sent lately, by transport-wide number, and what its peer's feedback says became of it. A
 * peer may say what it likes: only packets that wait for an answer are believed in, each once (and lost ones
 * once more, when they come late after all). */

#include <string.h>

#include "plane.h"

#define TICK 250000LL                 /* ns */
#define TICKS_A_REFERENCE 256
#define KEPT_US 2000000               /* the window grows rather than forget what is younger */
#define BURST_US 5000                 /* packets that left within this time make one group */
#define SENT_LOST 0x8000              /* the peer has said once that it did not come */
#define ONE_BIT 14
#define TWO_BITS 7
#define HEADER 20                     /* RTCP header, SSRCs, base, count, reference */
#define GROUP_SIZE 36                 /* media.feedback_group */
#define GROUPS 64                     /* an event */

void sent_start(struct sent_window *window)
{
    window->first = window->next = 1;
    window->mask = SENT_AT_FIRST - 1;
}

/* Twice the room. Each entry stays or moves up by the old room. */
static void grow(struct sent_window *window)
{
    uint32_t mask = 2 * window->mask + 1;
    for (uint64_t number = window->first; number < window->next; number++)
        if ((number & mask) > window->mask)
            window->entries[number & mask] = window->entries[number & window->mask];
    window->mask = mask;
}

void sent_put(struct plane *plane, struct transport *transport, int size)
{
    struct sent_window *window = transport->sent;
    uint32_t now = (uint32_t)((uint64_t)plane->sending_time / 1000);
    if (window->next - window->first > window->mask) {
        const struct sent *oldest = &window->entries[window->first & window->mask];
        uint32_t most = window->seen_tick ? SENT_AT_MOST : SENT_UNANSWERED;
        if (oldest->size != 0 && now - oldest->time < KEPT_US && window->mask < most - 1)
            grow(window);
        else
            window->first++;
    }
    window->entries[window->next++ & window->mask] =
        (struct sent){.time = now, .size = (uint16_t)size, .cluster = transport->probe.cluster};
    transport->wide_sequence = (uint16_t)window->next;
}

/* The statuses of a feedback, one after the other. */
struct statuses {
    const uint8_t *at, *end;
    uint16_t chunk;
    int left; /* in the chunk */
};

static int next_status(struct statuses *statuses)
{
    while (statuses->left == 0) {
        if (statuses->end - statuses->at < 2)
            return -1;
        statuses->chunk = read_16(statuses->at);
        statuses->at += 2;
        statuses->left = !(statuses->chunk & 0x8000)  ? statuses->chunk & 0x1fff
                         : statuses->chunk & 0x4000 ? TWO_BITS
                                                    : ONE_BIT;
    }
    statuses->left--;
    if (!(statuses->chunk & 0x8000))
        return statuses->chunk >> 13 & 3;
    return statuses->chunk & 0x4000 ? statuses->chunk >> 2 * statuses->left & 3 : statuses->chunk >> statuses->left & 1;
}

/* Where the deltas begin; NULL when a length lies. */
static const uint8_t *find_deltas(const uint8_t *data, size_t length, int count)
{
    struct statuses statuses = {.at = data + HEADER, .end = data + length};
    size_t deltas = 0;
    for (int i = 0; i < count; i++) {
        int status = next_status(&statuses);
        if (status < 0)
            return NULL;
        deltas += status == 1 ? 1 : status == 2 ? 2 : 0; /* 3 is reserved, and comes without one */
    }
    return (size_t)(statuses.end - statuses.at) < deltas ? NULL : statuses.at;
}

/* Groups that are collected, and go up as one event when they are many or the feedback ends. */
struct groups {
    uint8_t data[GROUPS][GROUP_SIZE];
    int count;
    uint32_t first; /* of the newest group: us */
    uint16_t cluster, received, lost;
    uint32_t bytes;
};

static void hand_up(struct plane *plane, const struct transport *transport, struct groups *groups, int64_t time)
{
    if (groups->count > 0)
        post_event(plane, EVENT_FEEDBACK, transport, NULL, time, 0, groups->data[0],
                   (size_t)groups->count * GROUP_SIZE);
    groups->count = 0;
}

/* The full time of an entry. */
static uint64_t full_time(int64_t now_us, uint32_t time)
{
    return (uint64_t)(now_us - (int64_t)(uint32_t)((uint32_t)(uint64_t)now_us - time)) * 1000;
}

static void book(struct plane *plane, const struct transport *transport, struct groups *groups,
                 const struct sent *sent, bool arrived, int64_t tick, int64_t time)
{
    int64_t now_us = plane->sending_time / 1000;
    if (groups->count == 0 || groups->cluster != sent->cluster || sent->time - groups->first > BURST_US ||
        groups->received == UINT16_MAX || groups->lost == UINT16_MAX) {
        if (groups->count == GROUPS)
            hand_up(plane, transport, groups, time);
        uint8_t *group = groups->data[groups->count++];
        memset(group, 0, GROUP_SIZE);
        write_64(group, full_time(now_us, sent->time));
        write_16(group + 32, sent->cluster);
        groups->first = sent->time;
        groups->cluster = sent->cluster;
        groups->received = groups->lost = 0;
        groups->bytes = 0;
    }
    uint8_t *group = groups->data[groups->count - 1];
    write_64(group + 8, full_time(now_us, sent->time));
    if (arrived) {
        int64_t arrival = tick * TICK;
        if (groups->received == 0 || arrival > (int64_t)read_64(group + 16))
            write_64(group + 16, (uint64_t)arrival);
        groups->bytes += sent->size & (SENT_LOST - 1);
        write_32(group + 24, groups->bytes);
        write_16(group + 28, ++groups->received);
    } else {
        write_16(group + 30, ++groups->lost);
    }
}

void sent_join(struct plane *plane, struct transport *transport, const uint8_t *data, size_t length, int64_t time)
{
    int count = length < HEADER ? 0 : read_16(data + 14);
    const uint8_t *delta = count == 0 || count > SENT_AT_MOST ? NULL : find_deltas(data, length, count);
    if (delta == NULL) {
        drop(plane, DROP_MALFORMED);
        return;
    }
    count_up(&transport->feedback_in, 1);
    struct sent_window *window = transport->sent;
    if (window == NULL) {
        count_up(&transport->feedback_ignored, (uint64_t)count);
        return;
    }
    struct statuses statuses = {.at = data + HEADER, .end = data + length};
    struct groups groups = {.count = 0};
    /* 24 bits of 64 ms are 32 bits of 250 us */
    uint32_t wrapped = (read_32(data + 16) >> 8) * TICKS_A_REFERENCE;
    uint64_t newest = window->next - 1;
    uint64_t number = newest + (uint64_t)(int64_t)(int16_t)(read_16(data + 12) - (uint16_t)newest);
    int ignored = 0;
    for (int i = 0; i < count; i++, number++) {
        int status = next_status(&statuses);
        bool arrived = status == 1 || status == 2;
        if (arrived) {
            wrapped += status == 1 ? *delta : (uint32_t)(int32_t)(int16_t)read_16(delta);
            delta += status;
            if (!window->seen_tick)
                window->tick = (int32_t)wrapped;
            window->seen_tick = true;
            window->tick += (int32_t)(wrapped - (uint32_t)(uint64_t)window->tick);
        }
        struct sent *sent = &window->entries[number & window->mask];
        /* a number before the beginning wraps to a high one */
        if (number < window->first || number >= window->next || sent->size == 0 ||
            (!arrived && sent->size & SENT_LOST)) {
            ignored++;
            continue;
        }
        book(plane, transport, &groups, sent, arrived, window->tick, time);
        sent->size = arrived ? 0 : (uint16_t)(sent->size | SENT_LOST);
    }
    count_up(&transport->feedback_ignored, (uint64_t)ignored);
    hand_up(plane, transport, &groups, time);
}
