/* RTCP: decrypted, its lengths checked, its NACKs answered; the rest is for Python to read (RFC 3550, 4585). */

#include <string.h>

#include "plane.h"

#define RECEIVER_REPORT 201
#define TRANSPORT_FEEDBACK 205
#define GENERIC_NACK 1
#define TRANSPORT_WIDE 15

/* Whether the lengths of a compound packet add up. */
static bool well_formed(const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (size - at >= 4) {
        size_t length = 4 * ((size_t)read_16(data + at + 2) + 1);
        if (data[at] >> 6 != 2 || length > size - at)
            return false;
        at += length;
    }
    return size > 0 && at == size;
}

static void answer_nack(struct plane *plane, struct transport *transport, const uint8_t *data, size_t length)
{
    if (length < 16)
        return;
    uint32_t ssrc = read_32(data + 8);
    struct consumer *consumer = transport->consumers;
    while (consumer != NULL && consumer->ssrc != ssrc)
        consumer = consumer->next_of_transport;
    if (consumer == NULL)
        return;
    for (size_t at = 12; at + 4 <= length; at += 4) {
        uint16_t first = read_16(data + at), following = read_16(data + at + 2);
        repeat(plane, consumer, first);
        for (int bit = 0; bit < 16; bit++)
            if (following >> bit & 1)
                repeat(plane, consumer, (uint16_t)(first + bit + 1));
    }
}

void receive_rtcp(struct plane *plane, struct transport *transport, uint8_t *data, size_t size,
                  const struct address *address, int64_t time)
{
    if (!unprotect_rtcp(plane, transport, data, &size))
        return;
    if (!well_formed(data, size)) {
        drop(plane, DROP_MALFORMED);
        return;
    }
    plane->sending_time = realtime_ns();
    bool wide = false, more = false; /* than such feedback, and the empty report that stands before it */
    for (size_t at = 0; at < size;) {
        size_t length = 4 * ((size_t)read_16(data + at + 2) + 1);
        if (data[at + 1] == TRANSPORT_FEEDBACK && (data[at] & 31) == TRANSPORT_WIDE) {
            sent_join(plane, transport, data + at, length, time);
            wide = true;
        } else {
            if (data[at + 1] == TRANSPORT_FEEDBACK && (data[at] & 31) == GENERIC_NACK)
                answer_nack(plane, transport, data + at, length);
            more = more || data[at + 1] != RECEIVER_REPORT || (data[at] & 31) != 0;
        }
        at += length;
    }
    send_batch(plane);
    /* it comes by the hundred a second, and was told as an event of its own */
    if (more || !wide)
        post_event(plane, EVENT_RTCP, transport, address, time, 0, data, size);
}

bool send_rtcp(struct plane *plane, struct transport *transport, const uint8_t *data, size_t size)
{
    _Alignas(8) uint8_t room[MAX_DATAGRAM + SRTP_ROOM];
    if (!sendable(plane, transport, 1))
        return false;
    memcpy(room, data, size);
    int length = (int)size;
    if (srtp.protect_rtcp(transport->send_session, room, &length) != SRTP_OK) {
        drop(plane, DROP_PROTECT_FAILED);
        return false;
    }
    send_to_transport(plane, transport, room, (size_t)length);
    return true;
}
