/* The plane's thread: commands, packets, timers, and round again. It never takes the GIL, and it waits only in
 * ppoll. */

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "plane.h"

#define REALTIME_PRIORITY 10 /* above what is ordinary, below what the kernel's own threads use */

static inline int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t plane_timer(const struct plane *plane)
{
    return earlier(earlier(plane->nack_timer, plane->feedback_timer),
                   earlier(earlier(streams_timer(plane), plane->hold_timer),
                           earlier(plane->pacer_timer, plane->probe_timer)));
}

/* Sleep until a datagram, a command or a timer; tell whether a stream may have something. */
static bool wait_for_work(struct plane *plane)
{
    if (atomic_load_explicit(&plane->commands_written, memory_order_acquire) !=
        atomic_load_explicit(&plane->commands_read, memory_order_relaxed))
        return streams_poll(plane) >= 0;
    if (shard_was_handed(plane))
        return streams_poll(plane) >= 0;
    struct pollfd sources[3] = {
        {plane->socket, POLLIN, 0}, {plane->command_event, POLLIN, 0}, {streams_poll(plane), POLLIN, 0}};
    struct timespec timeout, *limit = NULL;
    if (plane_timer(plane) != INT64_MAX) {
        int64_t left = plane_timer(plane) - monotonic_ns();
        left = left > 0 ? left : 0;
        timeout = (struct timespec){left / SECOND, left % SECOND};
        limit = &timeout;
    }
    ppoll(sources, sources[2].fd >= 0 ? 3 : 2, limit, NULL);
    if (sources[1].revents & POLLIN) {
        uint64_t rung;
        ssize_t ignored = read(plane->command_event, &rung, sizeof rung);
        (void)ignored;
    }
    return sources[2].revents != 0;
}

static void *run(void *argument)
{
    struct plane *plane = argument;
    pthread_setname_np(pthread_self(), "konsil-plane");
    while (!plane->stopping) {
        bool streams = wait_for_work(plane);
        plane->now = monotonic_ns();
        commands_carry_out(plane);
        receive_batch(plane);
        shard_take(plane);
        layers_run(plane);
        missing_ask(plane);
        pacer_run(plane);
        probe_run(plane);
        wide_tell(plane);
        streams_run(plane, streams);
        if (plane->events_written) {
            plane->events_written = false;
            wake(plane->event_event);
        }
    }
    streams_flush(plane);
    streams_close(plane);
    while (plane->transports != NULL)
        remove_transport(plane, plane->transports);
    while (plane->injected != NULL)
        remove_producer(plane, plane->injected);
    return NULL;
}

static bool start(struct plane *plane, const char **error)
{
    errno = pthread_create(&plane->thread, NULL, run, plane);
    if (errno != 0) {
        *error = "pthread_create";
        return false;
    }
    struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};
    plane->realtime = pthread_setschedparam(plane->thread, SCHED_RR, &priority) == 0;
    return true;
}

struct plane *plane_make(const struct plane_options *options, const char **error)
{
    struct plane *plane = aligned_alloc(64, (sizeof *plane + 63) & ~(size_t)63);
    if (plane == NULL) {
        *error = "memory";
        return NULL;
    }
    memset(plane, 0, sizeof *plane);
    plane->socket = plane->command_event = plane->event_event = -1;
    plane->hold_timer = plane->nack_timer = plane->feedback_timer = plane->pacer_timer = plane->probe_timer = INT64_MAX;
    plane->group = options->group;
    plane->shard = options->shard;
    uint64_t seed = 0;
    if (plane->group != NULL) {
        seed = plane->group->seed;
        plane->command_event = plane->group->inboxes[plane->shard].event;
        plane->claims = calloc(ADDRESS_SLOTS, sizeof *plane->claims);
    } else {
        ssize_t drawn = getrandom(&seed, sizeof seed, GRND_NONBLOCK);
        (void)drawn;
        plane->command_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    plane->event_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    plane->commands = calloc(COMMANDS, sizeof *plane->commands);
    *error = "memory";
    if (plane->command_event < 0 || plane->event_event < 0) {
        *error = "eventfd";
    } else if (plane->commands != NULL && (plane->group == NULL || plane->claims != NULL) &&
               address_table_make(&plane->addresses, ADDRESS_SLOTS, seed) &&
               byte_ring_make(&plane->events, options->event_bytes) && byte_ring_make(&plane->tap, options->tap_bytes) &&
               streams_open(plane, options->stream_patience) &&
               socket_open(plane, &options->address, options->buffer, error) && start(plane, error)) {
        return plane;
    }
    int kept = errno;
    plane_free(plane);
    errno = kept;
    return NULL;
}

void plane_close(struct plane *plane)
{
    struct command stop = {.kind = COMMAND_STOP};
    struct timespec moment = {0, MILLISECOND};
    while (!commands_push(plane, &stop))
        nanosleep(&moment, NULL);
    pthread_join(plane->thread, NULL);
    socket_close(plane);
}

void plane_free(struct plane *plane)
{
    socket_close(plane);
    if (plane->command_event >= 0 && plane->group == NULL)
        close(plane->command_event);
    if (plane->event_event >= 0)
        close(plane->event_event);
    byte_ring_free(&plane->events);
    byte_ring_free(&plane->tap);
    address_table_free(&plane->addresses);
    streams_free(plane);
    free(plane->commands);
    free(plane->claims);
    free(plane);
}
