/* Decrypt once. libsrtp makes a stream for each SSRC that authenticates, and looks them up one by one: so only
 * so many are admitted a transport. */

#include "plane.h"

#define UNKNOWN_SSRC_EVERY (100 * MILLISECOND)

struct srtp_functions srtp;

static enum drop reason(int status)
{
    switch (status) {
    case SRTP_REPLAY_FAIL:
    case SRTP_REPLAY_OLD:
        return DROP_REPLAYED;
    default:
        return DROP_AUTHENTICATION;
    }
}

/* The index of an SSRC that no producer has; `admitted_count` when it is new. */
static int find_admitted(const struct transport *transport, uint32_t ssrc)
{
    int i = 0;
    while (i < transport->admitted_count && transport->admitted[i] != ssrc)
        i++;
    return i;
}

static void admit(struct transport *transport, int index, uint32_t ssrc)
{
    if (index == transport->admitted_count) {
        transport->admitted[index] = ssrc;
        transport->admitted_reported[index] = INT64_MIN / 2;
        transport->admitted_count++;
    }
}

/* Tell Python of an SSRC without a producer: the header and its extensions say what it is. */
static void report_unknown(struct plane *plane, struct transport *transport, int index, const uint8_t *data,
                           size_t size, const struct address *address, int64_t time)
{
    struct layout layout;
    if (!parse_layout(data, size, transport->wide_ids, &layout)) {
        drop(plane, DROP_MALFORMED);
        return;
    }
    /* a publisher's estimate is of everything that it sends, probes on streams to come too */
    if (layout.wide != 0)
        wide_arrived(plane, transport, read_16(data + layout.wide), time, read_32(data + 8));
    drop(plane, DROP_UNKNOWN_SSRC);
    if (plane->now - transport->admitted_reported[index] < UNKNOWN_SSRC_EVERY)
        return;
    transport->admitted_reported[index] = plane->now;
    post_event(plane, EVENT_UNKNOWN_SSRC, transport, address, time, read_32(data + 8), data, layout.payload);
}

void unprotect_rtp(struct plane *plane, struct transport *transport, uint8_t *data, size_t size,
                   const struct address *address, int64_t time)
{
    size_t sources_end = 12 + 4 * (size_t)(data[0] & 15); /* classify has seen that so much is there */
    if (data[0] & 0x10 && sources_end + 4 + 4 * (size_t)read_16(data + sources_end + 2) > size) {
        drop(plane, DROP_MALFORMED); /* its tag would be sought elsewhere */
        return;
    }
    uint32_t ssrc = read_32(data + 8);
    struct encoding *encoding = NULL;
    for (int i = 0; i < transport->stream_count; i++)
        if (transport->stream_ssrcs[i] == ssrc)
            encoding = transport->stream_encodings[i];
    int admitted = -1;
    if (encoding == NULL) {
        admitted = find_admitted(transport, ssrc);
        if (admitted == MAX_ADMITTED) {
            drop(plane, DROP_UNKNOWN_SSRC);
            return;
        }
    }

    int length = (int)size;
    int status = srtp.unprotect(transport->receive_session, data, &length);
    if (status != SRTP_OK) {
        drop(plane, reason(status));
        return;
    }
    if (encoding == NULL) {
        admit(transport, admitted, ssrc);
        report_unknown(plane, transport, admitted, data, (size_t)length, address, time);
        return;
    }
    ingress(plane, encoding, data, (size_t)length, time, encoding->rtx_ssrc == ssrc && encoding->ssrc != ssrc);
}

bool unprotect_rtcp(struct plane *plane, struct transport *transport, uint8_t *data, size_t *size)
{
    uint32_t ssrc = read_32(data + 4);
    bool known = false;
    for (int i = 0; i < transport->stream_count && !known; i++)
        known = transport->stream_ssrcs[i] == ssrc;
    int admitted = known ? -1 : find_admitted(transport, ssrc);
    if (admitted == MAX_ADMITTED) {
        drop(plane, DROP_UNKNOWN_SSRC);
        return false;
    }
    int length = (int)*size;
    int status = srtp.unprotect_rtcp(transport->receive_session, data, &length);
    if (status != SRTP_OK) {
        drop(plane, reason(status));
        return false;
    }
    if (!known)
        admit(transport, admitted, ssrc);
    *size = (size_t)length;
    return true;
}
