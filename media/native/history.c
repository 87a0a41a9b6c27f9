/* A circular log: records are written one behind the other and leave in the same order. */

#include "history.h"

#include <stdlib.h>
#include <string.h>

#include "objects.h"

#define UNIT 16         /* records begin at its multiples */
#define NEVER 0         /* in the index: not received */
#define GONE 1          /* received, and no longer held */
#define FIRST_PLACE 2   /* the record at the arena's front */
#define BYTES_A_SLOT 512
#define MIN_SLOTS 128
#define MAX_SLOTS 16384 /* numbers are 16 bits on the wire: half of them can be told from the other half */
#define OLD_AT_ONCE 8   /* records that leave for their age when one comes: so the memory follows the rate */

static struct packet *at(const struct history *history, uint32_t offset)
{
    return (struct packet *)(history->arena + offset);
}

static uint32_t record_size(size_t size)
{
    return (uint32_t)((sizeof(struct packet) + size + UNIT - 1) & ~(size_t)(UNIT - 1));
}

bool history_make(struct history *history, size_t bytes, int64_t keep)
{
    uint32_t slots = MIN_SLOTS;
    while (slots * (size_t)BYTES_A_SLOT < bytes && slots < MAX_SLOTS)
        slots *= 2;
    history->size = (uint32_t)(bytes & ~(size_t)(UNIT - 1));
    history->mask = slots - 1;
    history->keep = keep;
    /* large blocks: the kernel gives their pages when they are written first */
    history->arena = malloc(history->size);
    history->index = calloc(slots, sizeof *history->index);
    return history->arena != NULL && history->index != NULL;
}

void history_free(struct history *history)
{
    free(history->arena);
    free(history->index);
}

void history_clear(struct history *history)
{
    history->head = history->tail = history->lap = history->records = 0;
    memset(history->index, 0, ((size_t)history->mask + 1) * sizeof *history->index);
}

void history_advance(struct history *history, uint64_t first, uint64_t sequence)
{
    if (sequence - first > history->mask)
        first = sequence - history->mask;
    for (; first <= sequence; first++)
        history->index[first & history->mask] = NEVER;
}

bool history_received(const struct history *history, uint64_t sequence)
{
    return history->index[sequence & history->mask] != NEVER;
}

struct packet *history_find(const struct history *history, uint64_t sequence)
{
    uint32_t place = history->index[sequence & history->mask];
    if (place < FIRST_PLACE)
        return NULL;
    struct packet *packet = at(history, (place - FIRST_PLACE) * UNIT);
    return packet->sequence == sequence ? packet : NULL;
}

void history_evict(struct history *history)
{
    struct packet *oldest = at(history, history->tail);
    uint32_t *place = &history->index[oldest->sequence & history->mask];
    if (*place == history->tail / UNIT + FIRST_PLACE)
        *place = GONE;
    history->tail += oldest->record;
    history->records--;
    if (history->records == 0)
        history->head = history->tail = history->lap = 0;
    else if (history->tail == history->lap)
        history->tail = history->lap = 0; /* on to this lap's own records */
}

struct packet *history_in_the_way(struct history *history, size_t size, int64_t now)
{
    uint32_t need = record_size(size);
    for (int i = 0; i < OLD_AT_ONCE && history->records > 0; i++) {
        struct packet *oldest = at(history, history->tail);
        if (now - oldest->arrival <= history->keep)
            break;
        if (oldest->pending)
            return oldest;
        history_evict(history);
    }
    if (history->records == 0)
        return NULL;
    if (history->lap == 0) {
        /* round to the front: where the end is reached, or where what stands in front has gone by its age. Some room
         * more than needed, for the rate may rise */
        bool must = history->head + need > history->size;
        if (!must && (history->tail < need || history->tail < history->head / 4))
            return NULL;
        history->lap = history->head;
        history->head = 0;
    }
    return history->head + need > history->tail ? at(history, history->tail) : NULL;
}

struct packet *history_put(struct history *history, uint64_t sequence, size_t size)
{
    struct packet *packet = at(history, history->head);
    packet->sequence = sequence;
    packet->record = record_size(size);
    history->index[sequence & history->mask] = history->head / UNIT + FIRST_PLACE;
    history->head += packet->record;
    history->records++;
    return packet;
}
