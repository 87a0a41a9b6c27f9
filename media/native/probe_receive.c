/* The probe's receiving thread: unprotect, count, measure. UDP GRO keeps it cheap: what the kernel put together
 * arrives as one message, with the time at which all of it arrived. */

#define _GNU_SOURCE
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "plane.h"
#include "probe.h"
#include "segments.h"

#define MESSAGES 8
#define MESSAGE_ROOM 65536

struct receive_room {
    struct mmsghdr messages[MESSAGES];
    struct iovec vectors[MESSAGES];
    struct sockaddr_storage names[MESSAGES];
    _Alignas(8) uint8_t controls[MESSAGES][256];
    uint8_t data[MESSAGES][MESSAGE_ROOM];
};

static void post(struct probe *probe, int index, enum event_kind kind, const struct address *address, int64_t time,
                 const uint8_t *data, size_t size)
{
    struct event_header header = {.size = (uint32_t)size,
                                  .kind = (uint8_t)kind,
                                  .has_address = true,
                                  .address = *address,
                                  .time = time,
                                  .subject = (uint64_t)index};
    if (!byte_ring_reserve(&probe->events, sizeof header + size)) {
        count_up(&probe->events_lost, 1);
        return;
    }
    byte_ring_put(&probe->events, &header, sizeof header);
    byte_ring_put(&probe->events, data, size);
    byte_ring_publish(&probe->events);
    wake(probe->event_event);
}

static struct probe_stream *stream_of(struct probe_socket *socket, uint32_t ssrc)
{
    int count = atomic_load_explicit(&socket->stream_count, memory_order_relaxed);
    for (int i = 0; i < count; i++)
        if (socket->streams[i].ssrc == ssrc)
            return &socket->streams[i];
    if (count == PROBE_STREAMS)
        return NULL;
    socket->streams[count].ssrc = ssrc;
    atomic_store_explicit(&socket->stream_count, count + 1, memory_order_release);
    return &socket->streams[count];
}

static bool test_and_set(struct probe_stream *stream, uint64_t sequence)
{
    uint64_t *word = &stream->seen[sequence / 64 % (PROBE_WINDOW / 64)], bit = 1ull << (sequence % 64);
    bool was = *word & bit;
    *word |= bit;
    return was;
}

/* Follow the sequence numbers: what is skipped is lost until it comes. */
static void follow(struct probe_stream *stream, uint16_t number)
{
    if (counted(&stream->packets) == 0) {
        stream->first = stream->highest = number + 65536u;
        test_and_set(stream, stream->highest);
        return;
    }
    uint64_t sequence = stream->highest + (uint64_t)(int64_t)(int16_t)(number - (uint16_t)stream->highest);
    if (sequence > stream->highest) {
        for (uint64_t skipped = stream->highest + 1; skipped <= sequence; skipped++)
            stream->seen[skipped / 64 % (PROBE_WINDOW / 64)] &= ~(1ull << (skipped % 64));
        count_up(&stream->lost, sequence - stream->highest - 1);
        stream->highest = sequence;
        test_and_set(stream, sequence);
    } else if (sequence < stream->first || stream->highest - sequence >= PROBE_WINDOW ||
               test_and_set(stream, sequence)) {
        count_up(&stream->duplicates, 1);
    } else {
        count_up(&stream->reordered, 1);
        count_up(&stream->lost, (uint64_t)-1);
    }
}

static void measure_rtp(struct probe_socket *socket, const uint8_t *data, size_t size, int64_t arrival)
{
    uint8_t ids[EXTENSIONS] = {0};
    struct layout layout;
    ids[EXTENSION_ABS_CAPTURE_TIME] = (uint8_t)socket->capture_time_id;
    ids[EXTENSION_TRANSPORT_WIDE] = (uint8_t)socket->wide_id;
    struct probe_stream *stream = stream_of(socket, read_32(data + 8));
    if (stream == NULL || !parse_layout(data, size, ids, &layout)) {
        count_up(&socket->other, 1);
        return;
    }
    if (layout.wide != 0)
        arrivals_note(&socket->arrivals, monotonic_ns(), read_16(data + layout.wide), arrival, stream->ssrc);
    follow(stream, read_16(data + 2));
    count_up(&stream->packets, 1);
    count_up(&stream->bytes, size);
    size_t stamp = layout.capture_time;
    if (socket->capture_time_id == PROBE_STAMP_IN_PAYLOAD && layout.size - layout.padding - layout.payload > 8)
        stamp = (size_t)(layout.size - layout.padding - 8);
    if (stamp == 0)
        count_up(&stream->unstamped, 1);
    else
        count_up(&socket->latency[latency_bucket(arrival - probe_stamp_to_ns(data + stamp))], 1);
}

static void answer_nacks(struct probe *probe, struct probe_socket *socket, const uint8_t *data, size_t size)
{
    for (size_t at = 0; size - at >= 4;) {
        size_t length = 4 * ((size_t)read_16(data + at + 2) + 1);
        if (length > size - at)
            return;
        if (data[at + 1] == 205 && (data[at] & 31) == 1) {
            for (size_t entry = 12; entry + 4 <= length; entry += 4) {
                uint16_t first = read_16(data + at + entry), following = read_16(data + at + entry + 2);
                probe_repeat(probe, socket, read_32(data + at + 8), first);
                for (int bit = 0; bit < 16; bit++)
                    if (following >> bit & 1)
                        probe_repeat(probe, socket, read_32(data + at + 8), (uint16_t)(first + bit + 1));
            }
        }
        at += length;
    }
}

static void receive_datagram(struct probe *probe, int index, uint8_t *data, size_t size,
                             const struct address *address, int64_t arrival)
{
    struct probe_socket *socket = probe->sockets[index];
    if (size == 0)
        return;
    if (data[0] <= 3 || (data[0] >= 20 && data[0] <= 63)) {
        post(probe, index, data[0] <= 3 ? EVENT_STUN : EVENT_DTLS, address, arrival, data, size);
        return;
    }
    void *session = atomic_load_explicit(&socket->receive_session, memory_order_acquire);
    if (session == NULL || size < 12 || data[0] >> 6 != 2) {
        count_up(&socket->other, 1);
        return;
    }
    int length = (int)size;
    if (data[1] >= 192 && data[1] <= 223) {
        if (srtp.unprotect_rtcp(session, data, &length) == SRTP_OK) {
            answer_nacks(probe, socket, data, (size_t)length);
            post(probe, index, EVENT_RTCP, address, arrival, data, (size_t)length);
        } else {
            count_up(&socket->unauthenticated, 1);
        }
    } else if (srtp.unprotect(session, data, &length) == SRTP_OK) {
        measure_rtp(socket, data, (size_t)length, arrival);
    } else {
        count_up(&socket->unauthenticated, 1);
    }
}

/* The time of arrival, and the size of the datagrams that were put together (0: one alone). */
static int64_t read_controls(struct probe_socket *socket, struct msghdr *header, int *segment_size)
{
    int64_t time = 0;
    *segment_size = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_GRO) {
            memcpy(segment_size, CMSG_DATA(control), sizeof *segment_size);
        } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(control), sizeof stamp);
            time = stamp.tv_sec * SECOND + stamp.tv_nsec;
        } else if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
            uint32_t overflow;
            memcpy(&overflow, CMSG_DATA(control), sizeof overflow);
            count_up(&socket->queue_drops, overflow - socket->overflow);
            socket->overflow = overflow;
        }
    }
    return time != 0 ? time : realtime_ns();
}

static void receive_messages(struct probe *probe, int index, struct receive_room *room)
{
    struct probe_socket *socket = probe->sockets[index];
    for (int i = 0; i < MESSAGES; i++) {
        room->messages[i].msg_hdr.msg_namelen = sizeof room->names[i];
        room->messages[i].msg_hdr.msg_controllen = sizeof room->controls[i];
    }
    int received = recvmmsg(socket->descriptor, room->messages, MESSAGES, MSG_DONTWAIT, NULL);
    for (int i = 0; i < received; i++) {
        int segment_size;
        int64_t arrival = read_controls(socket, &room->messages[i].msg_hdr, &segment_size);
        struct address address;
        address_from_socket(&address, (struct sockaddr *)&room->names[i]);
        size_t left = room->messages[i].msg_len, step = segment_size > 0 ? (size_t)segment_size : left;
        for (uint8_t *at = room->data[i]; left > 0;) {
            size_t size = left < step ? left : step;
            receive_datagram(probe, index, at, size, &address, arrival);
            at += size;
            left -= size;
        }
    }
}

/* Tell the sender what arrived, if it is time. */
static void tell_arrivals(struct probe_socket *socket)
{
    uint8_t data[ARRIVALS_ROOM + SRTP_ROOM];
    if (socket->arrivals.waiting == 0 || monotonic_ns() < socket->arrivals.due)
        return;
    pthread_mutex_lock(&socket->sending);
    for (size_t size; (size = arrivals_tell(&socket->arrivals, data)) > 0;) {
        int length = (int)size;
        if (srtp.protect_rtcp(socket->send_session, data, &length) == SRTP_OK)
            sendto(socket->descriptor, data, (size_t)length, 0, (struct sockaddr *)&socket->remote,
                   socket->remote_size);
    }
    pthread_mutex_unlock(&socket->sending);
}

void *probe_receive(void *argument)
{
    struct probe *probe = argument;
    static struct receive_room rooms[1]; /* the only probe of the process: probe_type.c sees to it */
    struct receive_room *room = rooms;
    pthread_setname_np(pthread_self(), "probe-receive");
    for (int i = 0; i < MESSAGES; i++) {
        room->vectors[i] = (struct iovec){room->data[i], MESSAGE_ROOM};
        room->messages[i].msg_hdr = (struct msghdr){.msg_name = &room->names[i],
                                                    .msg_iov = &room->vectors[i],
                                                    .msg_iovlen = 1,
                                                    .msg_control = room->controls[i]};
    }
    while (!probe->stopping) {
        struct epoll_event events[64];
        int ready = epoll_wait(probe->epoll, events, 64, 50);
        for (int i = 0; i < ready; i++)
            receive_messages(probe, (int)events[i].data.u32, room);
        int sockets = atomic_load_explicit(&probe->socket_count, memory_order_acquire);
        for (int i = 0; i < sockets; i++)
            tell_arrivals(probe->sockets[i]);
    }
    return NULL;
}
