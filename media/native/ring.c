#include "ring.h"

#include <stdlib.h>
#include <string.h>

bool byte_ring_make(struct byte_ring *ring, size_t size)
{
    ring->size = size;
    ring->data = malloc(size);
    return ring->data != NULL;
}

void byte_ring_free(struct byte_ring *ring)
{
    free(ring->data);
    ring->data = NULL;
}

size_t byte_ring_used(struct byte_ring *ring)
{
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    return (size_t)(atomic_load_explicit(&ring->written, memory_order_acquire) - read);
}

bool byte_ring_reserve(struct byte_ring *ring, size_t size)
{
    uint64_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_acquire);
    ring->reserved = written;
    return size <= ring->size - (size_t)(written - read);
}

void byte_ring_put(struct byte_ring *ring, const void *part, size_t size)
{
    size_t at = (size_t)ring->reserved & (ring->size - 1);
    size_t first = ring->size - at < size ? ring->size - at : size;
    memcpy(ring->data + at, part, first);
    memcpy(ring->data, (const uint8_t *)part + first, size - first);
    ring->reserved += size;
}

void byte_ring_publish(struct byte_ring *ring)
{
    atomic_store_explicit(&ring->written, ring->reserved, memory_order_release);
}

void byte_ring_peek(struct byte_ring *ring, size_t offset, void *part, size_t size)
{
    size_t at = (size_t)(atomic_load_explicit(&ring->read, memory_order_relaxed) + offset) & (ring->size - 1);
    size_t first = ring->size - at < size ? ring->size - at : size;
    memcpy(part, ring->data + at, first);
    memcpy((uint8_t *)part + first, ring->data, size - first);
}

void byte_ring_take(struct byte_ring *ring, size_t size)
{
    uint64_t read = atomic_load_explicit(&ring->read, memory_order_relaxed);
    atomic_store_explicit(&ring->read, read + size, memory_order_release);
}

void graveyard_push(_Atomic(struct retired *) *graveyard, struct retired *object)
{
    struct retired *head = atomic_load_explicit(graveyard, memory_order_relaxed);
    do
        object->next = head;
    while (!atomic_compare_exchange_weak_explicit(graveyard, &head, object, memory_order_release,
                                                  memory_order_relaxed));
}

struct retired *graveyard_take(_Atomic(struct retired *) *graveyard)
{
    struct retired *taken = atomic_exchange_explicit(graveyard, NULL, memory_order_acquire);
    struct retired *oldest = NULL;
    while (taken != NULL) {
        struct retired *next = taken->next;
        taken->next = oldest;
        oldest = taken;
        taken = next;
    }
    return oldest;
}
