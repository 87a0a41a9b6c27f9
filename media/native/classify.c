/* What is this datagram, and from whom? RFC 7983 by its first byte, RFC 5761 for RTP against RTCP. */

#include "plane.h"

#include <string.h>

#define STUN_HEADER 20
#define DTLS_HEADER 13
#define RTP_HEADER 12
#define RTCP_HEADER 8
#define STRANGERS_A_SECOND 2000
#define QUESTIONS_OF_A_HOST (STRANGERS_A_SECOND / 2)

/* STUN is all that a stranger may say, and not too much of it; one host alone shuts nobody out. */
static bool stranger_may_speak(struct plane *plane, const struct address *address)
{
    if (plane->now - plane->stun_window >= SECOND) {
        plane->stun_window = plane->now;
        plane->stun_count = 0;
        memset(plane->stun_of, 0, sizeof plane->stun_of);
    }
    struct address host = *address;
    host.port = 0;
    host.tcp = false;
    uint16_t *asked = &plane->stun_of[address_home(&plane->addresses, &host) % HOSTS_COUNTED];
    if (*asked >= QUESTIONS_OF_A_HOST || plane->stun_count >= STRANGERS_A_SECOND)
        return false;
    *asked += 1;
    plane->stun_count += 1;
    return true;
}

/* The least that the first byte promises: for RTP with its contributing sources and extension header. */
static size_t shortest(bool rtcp, uint8_t first)
{
    return rtcp ? RTCP_HEADER : RTP_HEADER + 4u * (first & 15) + (first & 0x10 ? 4 : 0);
}

void classify(struct plane *plane, uint8_t *data, size_t size, const struct address *address, int64_t time)
{
    if (size == 0) {
        drop(plane, DROP_EMPTY);
        return;
    }
    if (size > MAX_DATAGRAM) {
        drop(plane, DROP_OVERSIZED);
        return;
    }
    struct transport *transport = address_table_find(&plane->addresses, address);
    if (transport == NULL && shard_hand_over(plane, data, size, address, time))
        return;
    if (data[0] <= 3) {
        if (size < STUN_HEADER)
            drop(plane, DROP_SHORT);
        else if (transport == NULL && !stranger_may_speak(plane, address))
            drop(plane, DROP_RATE_LIMIT);
        else
            post_event(plane, EVENT_STUN, transport, address, time, 0, data, size);
    } else if (transport == NULL) {
        drop(plane, DROP_STRANGER);
    } else if (data[0] >= 20 && data[0] <= 63) {
        if (size < DTLS_HEADER)
            drop(plane, DROP_SHORT);
        else
            post_event(plane, EVENT_DTLS, transport, address, time, 0, data, size);
    } else if (data[0] >= 128 && data[0] <= 191) {
        bool rtcp = size >= 2 && data[1] >= 192 && data[1] <= 223;
        if (size < shortest(rtcp, data[0]))
            drop(plane, DROP_SHORT);
        else if (transport->receive_session == NULL)
            drop(plane, DROP_NO_KEYS);
        else if (rtcp)
            receive_rtcp(plane, transport, data, size, address, time);
        else
            unprotect_rtp(plane, transport, data, size, address, time);
    } else {
        drop(plane, DROP_UNKNOWN_PROTOCOL);
    }
}
