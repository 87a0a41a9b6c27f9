/* A probe under way on a transport: more than there is to send, at a rate, to see whether it arrives. What is
 * lacking is filled with what waits in the pacer, with repeats of what was sent last, or with padding where nothing is being sent. */

#include <string.h>

#include "plane.h"

#define PACKET_BYTES 1200 /* what each packet of a probe counts for */
#define PADDING 255       /* the most that RTP can say (RFC 3550, section 5.1) */
#define REPEATED 8        /* packets that were sent last, in turn */
#define TICK MILLISECOND

void probe_spend(struct probe_out *probe, int size)
{
    probe->left -= size;
    probe->next_at += (int64_t)size * 8 * SECOND / probe->rate;
}

static bool able(const struct consumer *consumer)
{
    return consumer->rtx_ssrc != 0 && consumer->extension_ids[EXTENSION_TRANSPORT_WIDE] != 0;
}

/* A packet that was sent to the consumer lately. */
static struct packet *sent_before(const struct consumer *consumer, uint64_t packets, uint64_t *out)
{
    if (consumer->highest_sent <= packets)
        return NULL;
    *out = consumer->highest_sent - packets;
    return find_sent(consumer, *out);
}

/* Send one packet of a probe; false when there is nothing to send it on. */
static bool send_filling(struct plane *plane, struct transport *transport)
{
    struct consumer *silent = NULL, *sending = NULL;
    if (!sendable(plane, transport, 1))
        return false;
    /* what waits for its turn is the best filling */
    if (transport->sent != NULL && transport->pacer != NULL && pacer_send_next(plane, transport->pacer))
        return true;
    for (struct consumer *consumer = transport->consumers; consumer != NULL; consumer = consumer->next_of_transport) {
        if (!able(consumer))
            continue;
        silent = consumer;
        if (consumer->state != CONSUMER_SENDING || consumer->highest_sent == 0)
            continue;
        sending = consumer;
        uint64_t out;
        struct packet *packet = sent_before(consumer, ++transport->probe.turn % REPEATED, &out);
        if (packet != NULL) {
            forward(plane, consumer, packet, out, SENDING_FILLING);
            return true;
        }
    }
    if (silent == NULL)
        return false;
    send_padding(plane, sending != NULL ? sending : silent, PADDING);
    return true;
}

static void end(struct plane *plane, struct transport *transport)
{
    struct transport **link = &plane->probing;
    while (*link != NULL && *link != transport)
        link = &(*link)->probe.next;
    if (*link != NULL)
        *link = transport->probe.next;
    transport->probe.cluster = 0;
}

void probe_end(struct plane *plane, struct transport *transport)
{
    if (transport->probe.cluster != 0)
        end(plane, transport);
}

void probe_begin(struct plane *plane, struct transport *transport, int cluster, int64_t rate, int packets)
{
    probe_end(plane, transport);
    transport->probe = (struct probe_out){.next = plane->probing,
                                          .cluster = (uint16_t)cluster,
                                          .rate = rate,
                                          .left = (int64_t)packets * PACKET_BYTES,
                                          .next_at = plane->now};
    plane->probing = transport;
    plane->probe_timer = plane->now;
}

void probe_run(struct plane *plane)
{
    if (plane->now < plane->probe_timer)
        return;
    plane->sending_time = realtime_ns();
    for (struct transport *transport = plane->probing, *next; transport != NULL; transport = next) {
        struct probe_out *probe = &transport->probe;
        next = probe->next;
        while (probe->cluster != 0 && probe->next_at <= plane->now) {
            int64_t left = probe->left;
            /* what could not be sent is not tried for ever */
            if (left <= 0 || !send_filling(plane, transport) || probe->left == left)
                end(plane, transport);
        }
    }
    send_batch(plane);
    plane->probe_timer = plane->probing != NULL ? (plane->now + TICK) / TICK * TICK : INT64_MAX;
}
