#include "shard.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "plane.h"

#define TAKEN_A_TURN 256 /* from one shard; then commands, the socket and timers have their turn */

/* Stands before each datagram in a ring. */
struct handed {
    struct address address;
    int64_t time;
    uint16_t size;
};

struct shard_group *shard_group_make(int count)
{
    struct shard_group *group = calloc(1, sizeof *group);
    if (group == NULL)
        return NULL;
    group->count = count;
    ssize_t drawn = getrandom(&group->seed, sizeof group->seed, GRND_NONBLOCK);
    (void)drawn;
    for (int to = 0; to < count; to++)
        group->inboxes[to].event = -1;
    for (int to = 0; to < count; to++) {
        bool made = (group->inboxes[to].event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0;
        for (int from = 0; made && from < count; from++)
            made = from == to || byte_ring_make(&group->inboxes[to].from[from], HANDED_ROOM);
        if (!made) {
            shard_group_free(group);
            errno = ENOMEM;
            return NULL;
        }
    }
    return group;
}

void shard_group_free(struct shard_group *group)
{
    for (int to = 0; to < group->count; to++) {
        if (group->inboxes[to].event >= 0)
            close(group->inboxes[to].event);
        for (int from = 0; from < group->count; from++)
            byte_ring_free(&group->inboxes[to].from[from]);
    }
    free(group);
}

void shard_claim(struct plane *plane, const struct address *address)
{
    if (plane->group == NULL || address->tcp)
        return; /* a stream is read by the shard that has it */
    uint32_t home = address_home(&plane->addresses, address);
    if (plane->claims[home]++ == 0)
        atomic_fetch_or_explicit(&plane->group->owners[home], (uint16_t)(1u << plane->shard), memory_order_relaxed);
}

void shard_release(struct plane *plane, const struct address *address)
{
    if (plane->group == NULL || address->tcp)
        return;
    uint32_t home = address_home(&plane->addresses, address);
    if (--plane->claims[home] == 0)
        atomic_fetch_and_explicit(&plane->group->owners[home], (uint16_t)~(1u << plane->shard), memory_order_relaxed);
}

bool shard_hand_over(struct plane *plane, const uint8_t *data, size_t size, const struct address *address,
                     int64_t time)
{
    struct shard_group *group = plane->group;
    if (group == NULL || address->tcp || plane->taking)
        return false;
    uint32_t home = address_home(&plane->addresses, address);
    unsigned others = atomic_load_explicit(&group->owners[home], memory_order_relaxed) & ~(1u << plane->shard);
    struct handed header = {*address, time, (uint16_t)size};
    for (int to = 0; to < group->count; to++) {
        if (!(others >> to & 1))
            continue;
        struct byte_ring *ring = &group->inboxes[to].from[plane->shard];
        if (!byte_ring_reserve(ring, sizeof header + size)) {
            drop(plane, DROP_SHARD_FULL);
            continue;
        }
        byte_ring_put(ring, &header, sizeof header);
        byte_ring_put(ring, data, size);
        byte_ring_publish(ring);
        count_up(&plane->handed_over, 1);
        plane->to_wake |= 1u << to;
    }
    return others != 0;
}

void shard_wake_others(struct plane *plane)
{
    for (int to = 0; plane->to_wake != 0; to++)
        if (plane->to_wake >> to & 1) {
            plane->to_wake &= ~(1u << to);
            wake(plane->group->inboxes[to].event);
        }
}

bool shard_was_handed(const struct plane *plane)
{
    if (plane->group == NULL)
        return false;
    struct inbox *inbox = &plane->group->inboxes[plane->shard];
    for (int from = 0; from < plane->group->count; from++)
        if (from != plane->shard && byte_ring_used(&inbox->from[from]) > 0)
            return true;
    return false;
}

void shard_take(struct plane *plane)
{
    _Alignas(8) uint8_t data[MAX_DATAGRAM];
    if (plane->group == NULL)
        return;
    plane->taking = true;
    for (int from = 0; from < plane->group->count; from++) {
        struct byte_ring *ring = &plane->group->inboxes[plane->shard].from[from];
        for (int taken = 1; from != plane->shard && taken <= TAKEN_A_TURN && byte_ring_used(ring) > 0; taken++) {
            struct handed header;
            byte_ring_peek(ring, 0, &header, sizeof header);
            byte_ring_peek(ring, sizeof header, data, header.size);
            byte_ring_take(ring, sizeof header + header.size);
            classify(plane, data, header.size, &header.address, header.time);
            if (taken % RECEIVE_BATCH == 0)
                fan_out(plane);
        }
        fan_out(plane);
    }
    plane->taking = false;
}
