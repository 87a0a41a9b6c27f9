/* Rings between one producer and one consumer thread, without locks. */

#ifndef KONSIL_RING_H
#define KONSIL_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Records of bytes. A record is written in parts and published at once; positions only grow. */
struct byte_ring {
    uint8_t *data;
    size_t size; /* a power of two */
    _Atomic uint64_t written, read;
    uint64_t reserved; /* the writer's: end of the record being written */
};

bool byte_ring_make(struct byte_ring *ring, size_t size);
void byte_ring_free(struct byte_ring *ring);
size_t byte_ring_used(struct byte_ring *ring);
/* The writer: reserve room for a whole record (false when full), put its parts, publish. */
bool byte_ring_reserve(struct byte_ring *ring, size_t size);
void byte_ring_put(struct byte_ring *ring, const void *part, size_t size);
void byte_ring_publish(struct byte_ring *ring);
/* The reader: copy without taking, take. */
void byte_ring_peek(struct byte_ring *ring, size_t offset, void *part, size_t size);
void byte_ring_take(struct byte_ring *ring, size_t size);

/* What the plane no longer needs, for Python to free: the plane's thread never frees memory, because the
 * allocator's lock may be held by a thread that is not running. Many may push, one takes all. */
struct retired {
    struct retired *next;
    int kind;
};

void graveyard_push(_Atomic(struct retired *) *graveyard, struct retired *object);
struct retired *graveyard_take(_Atomic(struct retired *) *graveyard); /* oldest first */

/* Counters that one thread writes and others read: no locked instruction, never torn. */
typedef _Atomic uint64_t counter;

static inline void count_up(counter *value, uint64_t by)
{
    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + by, memory_order_relaxed);
}

static inline uint64_t counted(counter *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static inline void note(counter *value, uint64_t is)
{
    atomic_store_explicit(value, is, memory_order_relaxed);
}

#endif
