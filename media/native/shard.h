/* Several planes that listen on one UDP port. The kernel spreads peers over them by their addresses; a datagram that
 * arrives at one and belongs to another is handed over. */

#ifndef KONSIL_SHARD_H
#define KONSIL_SHARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"

#define SHARDS_AT_MOST 16
#define ADDRESS_SLOTS 65536      /* twice MAX_ADDRESSES of the 4,096 transports that Python may add */
#define HANDED_ROOM (512 << 10)  /* bytes that wait between two shards: over 400 video packets */

struct address;
struct plane;

/* What a shard is handed by each of the others, and what wakes it. */
struct inbox {
    struct byte_ring from[SHARDS_AT_MOST];
    int event;
};

/* `owners`: for each home of an address, a bit for every shard that has an address there. Homes are as good as
 * random, so mostly it is the one shard; if not, each of them is handed the datagram, and those that do not know its
 * source drop it. */
struct shard_group {
    int count;
    uint64_t seed; /* of all their address tables: one address has one home */
    _Atomic uint16_t owners[ADDRESS_SLOTS];
    struct inbox inboxes[SHARDS_AT_MOST];
};

struct shard_group *shard_group_make(int count); /* NULL: errno */
void shard_group_free(struct shard_group *group); /* after all its planes */

void shard_claim(struct plane *plane, const struct address *address);
void shard_release(struct plane *plane, const struct address *address);
/* Whether another shard was handed it (or had no room, which is counted). */
bool shard_hand_over(struct plane *plane, const uint8_t *data, size_t size, const struct address *address,
                     int64_t time);
void shard_wake_others(struct plane *plane);
bool shard_was_handed(const struct plane *plane); /* whether something waits */
void shard_take(struct plane *plane);

#endif
