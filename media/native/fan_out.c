/* To each consumer its own: header rewritten, protected in place in the send buffer, queued. */

#include <string.h>

#include "plane.h"

#define FILLER 4 /* bytes of padding that use up a number */

bool sendable(struct plane *plane, const struct transport *transport, int packets)
{
    if (transport->send_session != NULL && transport->name_size != 0)
        return true;
    count_up(&plane->drops[transport->send_session == NULL ? DROP_NO_KEYS : DROP_SEND_FAILED], (uint64_t)packets);
    return false;
}

/* Whether the consumer is sent the newest block alone of sound that came with redundancy: RTX is of that, too. */
static bool without_redundancy(const struct consumer *consumer, const struct packet *packet, bool rtx)
{
    return packet->layout.newest != 0 && (rtx || consumer->red_payload_type == 0);
}

/* Write the packet as the consumer gets it, as RTX (RFC 4588) when `rtx`; return its size. */
static int rewrite(struct plane *plane, struct consumer *consumer, const struct packet *packet, const struct run *run,
                   uint64_t number, bool rtx, uint8_t *out)
{
    uint16_t sequence = (uint16_t)number;
    /* copies of a constant size: a short memcpy of a variable one costs more than all the rest here */
    int header = 12;
    memcpy(out, packet->data, 12);
    for (int sources = packet->data[0] & 15; sources > 0; sources--, header += 4)
        memcpy(out + header, packet->data + header, 4);
    int size = header + write_extensions(consumer, packet, run, number, plane->sending_time, out + header);
    out[0] = (uint8_t)((packet->data[0] & 0xef) | (size > header ? 0x10 : 0));
    /* the last packet of the highest layer that is sent ends the picture */
    bool ends = false;
    if (packet->place.layered && packet->place.ends) {
        const struct chosen *chosen = targets_find(&consumer->selection, run, packet);
        ends = chosen != NULL && packet->place.spatial == chosen->layer >> 2;
    }
    bool alone = without_redundancy(consumer, packet, rtx);
    bool redundant = packet->layout.newest != 0 && !alone;
    uint8_t payload_type = redundant ? consumer->red_payload_type : consumer->payload_type;
    out[1] = (uint8_t)((packet->data[1] & 0x80) | (ends ? 0x80 : 0) | (rtx ? consumer->rtx_payload_type : payload_type));
    write_16(out + 2, rtx ? consumer->rtx_sequence : sequence);
    write_32(out + 4, packet->timestamp + run->naming.timestamp);
    write_32(out + 8, rtx ? consumer->rtx_ssrc : consumer->ssrc);
    if (rtx) {
        write_16(out + size, sequence);
        size += 2;
    }
    size_t start = alone ? packet->layout.newest : packet->layout.payload;
    size_t rest = packet->layout.size - start;
    if ((size_t)size + rest > MAX_DATAGRAM)
        return 0;
    memcpy(out + size, packet->data + start, rest);
    if (redundant)
        red_rename(out + size, consumer->payload_type);
    if (packet->place.picture_bits != 0 || packet->place.tl0_at != 0)
        place_rename(&packet->place, &run->naming, out + size);
    return size + (int)rest;
}

uint8_t *forward_room(struct plane *plane)
{
    if (!send_batch_has_room(plane, 1))
        send_batch(plane);
    return send_batch_room(plane);
}

/* Queue what is protected in the room, and book it. */
static void queue(struct plane *plane, struct outgoing outgoing)
{
    struct transport *transport = outgoing.consumer->transport;
    plane->queue[plane->queued++] = outgoing;
    if (outgoing.consumer->extension_ids[EXTENSION_TRANSPORT_WIDE] != 0)
        sent_put(plane, transport, outgoing.size);
    /* a probe is more than the rate allows: what waits does not pay for its filling */
    if (transport->pacer != NULL && outgoing.kind != SENDING_FILLING && outgoing.kind != SENDING_PADDING)
        pacer_spend(plane, transport->pacer, outgoing.size);
    if (transport->probe.cluster != 0)
        probe_spend(&transport->probe, outgoing.size);
}

void forward(struct plane *plane, struct consumer *consumer, struct packet *packet, uint64_t out,
             enum sending kind)
{
    bool again = kind >= SENDING_REPEAT;
    bool rtx = again && consumer->rtx_ssrc != 0;
    const struct run *run = numbering_run(&consumer->selection.numbering, out);
    if (run == NULL) {
        drop(plane, DROP_NOT_IN_HISTORY); /* it waited until its run was forgotten */
        return;
    }
    uint8_t *room = forward_room(plane);
    int size = rewrite(plane, consumer, packet, run, out, rtx, room);
    int protections = 0;
    if (size == 0) {
        drop(plane, DROP_TOO_LARGE);
        return;
    }
    if (consumer->protection != NULL && !again)
        protections = protection_add(consumer->protection, consumer->extension_ids, room, size, out);
    int status = srtp.protect(consumer->transport->send_session, room, &size);
    if (status == SRTP_REPLAY_OLD && !rtx && consumer->rtx_ssrc != 0) {
        /* recovered so late that SRTP's window has passed its number: in the RTX stream it has a new one */
        forward(plane, consumer, packet, out, SENDING_REPEAT);
        return;
    }
    if (status != SRTP_OK) {
        drop(plane, DROP_PROTECT_FAILED);
        return;
    }
    if (rtx)
        consumer->rtx_sequence++;
    if (size > MAX_DATAGRAM) {
        drop(plane, DROP_TOO_LARGE);
        return;
    }
    int start = without_redundancy(consumer, packet, rtx) ? packet->layout.newest : packet->layout.payload;
    queue(plane, (struct outgoing){
                     .consumer = consumer,
                     .packet = packet,
                     .timestamp = packet->timestamp + run->naming.timestamp,
                     .size = (uint16_t)size,
                     .octets = (uint16_t)(packet->layout.size - start - packet->layout.padding),
                     .kind = kind});
    if (!again && out > consumer->highest_sent)
        consumer->highest_sent = out;
    if (protections > 0)
        protection_send(plane, consumer, protections, packet->timestamp + run->naming.timestamp);
}

int write_own_header(struct plane *plane, struct consumer *consumer, uint8_t payload_type, uint16_t sequence,
                     uint32_t timestamp, uint32_t ssrc, uint8_t *out)
{
    int size = 12 + write_own_extensions(consumer, plane->sending_time, out + 12);
    out[0] = size > 12 ? 0x90 : 0x80;
    out[1] = payload_type;
    write_16(out + 2, sequence);
    write_32(out + 4, timestamp);
    write_32(out + 8, ssrc);
    return size;
}

bool forward_own(struct plane *plane, struct consumer *consumer, int size, enum sending kind)
{
    if (srtp.protect(consumer->transport->send_session, send_batch_room(plane), &size) != SRTP_OK) {
        drop(plane, DROP_PROTECT_FAILED);
        return false;
    }
    if (size > MAX_DATAGRAM)
        drop(plane, DROP_TOO_LARGE);
    else
        queue(plane, (struct outgoing){.consumer = consumer, .size = (uint16_t)size, .kind = kind});
    return true;
}

void send_padding(struct plane *plane, struct consumer *consumer, int padding)
{
    uint8_t *room = forward_room(plane);
    int size = write_own_header(plane, consumer, consumer->rtx_payload_type, consumer->rtx_sequence,
                                (uint32_t)counted(&consumer->last_timestamp), consumer->rtx_ssrc, room);
    memset(room + size, 0, (size_t)padding);
    room[0] |= 0x20;
    room[size + padding - 1] = (uint8_t)padding;
    if (forward_own(plane, consumer, size + padding, SENDING_PADDING))
        consumer->rtx_sequence++;
}

void send_filler(struct plane *plane, struct consumer *consumer, uint64_t out, uint32_t timestamp)
{
    uint8_t *room = forward_room(plane);
    int size =
        write_own_header(plane, consumer, consumer->payload_type, (uint16_t)out, timestamp, consumer->ssrc, room);
    room[0] |= 0x20;
    memset(room + size, 0, FILLER);
    room[size + FILLER - 1] = FILLER;
    /* whatever waits in the pacer and is given up: this number was a nonce */
    if (forward_own(plane, consumer, size + FILLER, SENDING_PADDING) && out > consumer->highest_sent)
        consumer->highest_sent = out;
}

static void fan_out_to(struct plane *plane, struct consumer *consumer, struct encoding *encoding)
{
    if (consumer->state == CONSUMER_PAUSED) {
        count_up(&plane->drops[DROP_PAUSED], (uint64_t)encoding->pending_count);
        return;
    }
    if (!sendable(plane, consumer->transport, encoding->pending_count))
        return;
    /* a consumer's packets stay together: they become one GSO message */
    if (!send_batch_has_room(plane, encoding->pending_count))
        send_batch(plane);
    layers_deal(plane, consumer, encoding);
}

void fan_out(struct plane *plane)
{
    if (plane->pending == NULL)
        return;
    plane->sending_time = realtime_ns();
    while (plane->pending != NULL) {
        struct encoding *encoding = plane->pending;
        plane->pending = encoding->next_pending;
        for (struct consumer *consumer = encoding->producer->consumers; consumer != NULL;
             consumer = consumer->next_of_producer)
            fan_out_to(plane, consumer, encoding);
        for (int i = 0; i < encoding->pending_count; i++)
            encoding->pending[i]->pending = false;
        encoding->pending_count = 0;
        encoding->dealt = encoding->newest;
        encoding->dealt_any = true;
    }
    send_batch(plane);
}
