#define _GNU_SOURCE
#include "plane_alone.h"

#include <stdlib.h>

static int pass(void *session, void *packet, int *size)
{
    (void)session, (void)packet, (void)size;
    return SRTP_OK;
}

struct plane *plane_alone(int64_t *started)
{
    const char *error;
    struct plane *plane;
    struct plane_options options = {.buffer = 65536, .tap_bytes = 1 << 16, .event_bytes = 1 << 16,
                                    .stream_patience = SECOND};
    if (!address_from_text(&options.address, "127.0.0.1", 0))
        abort();
    srtp = (struct srtp_functions){pass, pass, pass, pass};
    plane = plane_make(&options, &error);
    if (plane == NULL)
        abort();
    /* its thread has done nothing but begin: from here on this one is it */
    commands_push(plane, &(struct command){.kind = COMMAND_STOP});
    wake(plane->command_event);
    pthread_join(plane->thread, NULL);
    plane->stopping = false;
    *started = plane->now = SECOND * 1000;
    return plane;
}
