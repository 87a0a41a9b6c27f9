/* What an encoding sent lately, decrypted, shared by all who may ask for it again. */

#ifndef KONSIL_HISTORY_H
#define KONSIL_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packet;

/* An arena of records of any size, oldest first, that goes round; and where each number's record is. Only what was
 * written once takes memory: the arena begins anew at its front as soon as what stands there is too old. */
struct history {
    uint8_t *arena;
    uint32_t *index;            /* by number: its place in units, or one of the two below */
    uint32_t size, mask;        /* bytes; slots of the index less one */
    uint32_t head, tail, lap;   /* where the next record begins, the oldest one, the end of the lap before */
    uint32_t records;
    int64_t keep;               /* ns */
};

bool history_make(struct history *history, size_t bytes, int64_t keep);
void history_free(struct history *history);
void history_clear(struct history *history);

/* Forget the numbers from `first` on to `sequence`, which come round to where older ones were. */
void history_advance(struct history *history, uint64_t first, uint64_t sequence);
/* Whether the number was received, also if its packet is gone; it is at most `mask` behind the highest. */
bool history_received(const struct history *history, uint64_t sequence);
/* The packet, NULL if it is not held. Valid until the encoding's next packet is held: keep the number, not the place. */
struct packet *history_find(const struct history *history, uint64_t sequence);
/* The record that goes next when room is needed; NULL when there is room for `size` bytes of data. */
struct packet *history_in_the_way(struct history *history, size_t size, int64_t now);
void history_evict(struct history *history);
/* Room for a packet with `size` bytes of data, once nothing is in the way. */
struct packet *history_put(struct history *history, uint64_t sequence, size_t size);

#endif
