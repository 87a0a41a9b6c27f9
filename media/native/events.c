/* What Python is told: a ring that is written at a packet's speed and read at Python's. */

#include <unistd.h>

#include "plane.h"

void wake(int event)
{
    uint64_t one = 1;
    /* an eventfd refuses only when it is at its limit, and is readable then */
    ssize_t ignored = write(event, &one, sizeof one);
    (void)ignored;
}

void post_event(struct plane *plane, enum event_kind kind, const struct transport *transport,
                const struct address *address, int64_t time, uint64_t subject, const uint8_t *data, size_t size)
{
    struct event_header header = {.size = (uint32_t)size,
                                  .kind = (uint8_t)kind,
                                  .has_address = address != NULL,
                                  .time = time,
                                  .transport = transport != NULL ? transport->id : 0,
                                  .subject = subject};
    if (address != NULL)
        header.address = *address;
    if (!byte_ring_reserve(&plane->events, sizeof header + size)) {
        drop(plane, DROP_EVENT_QUEUE_FULL);
        return;
    }
    byte_ring_put(&plane->events, &header, sizeof header);
    if (size > 0)
        byte_ring_put(&plane->events, data, size);
    byte_ring_publish(&plane->events);
    plane->events_written = true; /* one wake-up a turn of the loop */
}
