/* ICE-TCP: frames come in pieces of any size (RFC 4571), and go out into a kernel that takes as much as it likes. What
 * leaves is frames again, each of them whole, however much is dropped. Input: whether the peer is known, then steps of a
 * kind, a length of two bytes, and the bytes. */

#define _GNU_SOURCE
#include "stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "plane.h"
#include "plane_alone.h"
#include "target.h"

static struct plane *plane;
static int64_t started;
/* not the plane's to make and free: it is large */
static struct stream stream;

/* What the kernel has for us, and takes of us (the linker's --wrap). */
static const uint8_t *arriving;
static size_t arriving_size, taken_at_most;
static uint32_t happened;
/* Where in a frame what was sent has come to: bytes of its length that are known, bytes of it that are left. */
static size_t known, left;
static uint8_t length[2];

ssize_t __wrap_recv(int socket, void *data, size_t size, int flags)
{
    (void)socket, (void)flags;
    size = size < arriving_size ? size : arriving_size;
    memcpy(data, arriving, size);
    return (ssize_t)size;
}

/* Each frame is filled with the lower byte of its length. */
static void check(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (left > 0) {
            if (data[i] != length[1])
                abort();
            left--;
            continue;
        }
        length[known++] = data[i];
        if (known == 2) {
            known = 0;
            left = read_16(length);
            if (left == 0 || left > MAX_DATAGRAM)
                abort();
        }
    }
}

ssize_t __wrap_sendmsg(int socket, const struct msghdr *message, int flags)
{
    (void)socket, (void)flags;
    size_t sent = 0;
    for (size_t i = 0; i < message->msg_iovlen && sent < taken_at_most; i++) {
        size_t size = message->msg_iov[i].iov_len;
        size = size < taken_at_most - sent ? size : taken_at_most - sent;
        check(message->msg_iov[i].iov_base, size);
        sent += size;
    }
    taken_at_most -= sent;
    errno = EAGAIN;
    return sent > 0 ? (ssize_t)sent : -1;
}

int __wrap_epoll_wait(int descriptor, struct epoll_event *events, int most, int timeout)
{
    (void)descriptor, (void)most, (void)timeout;
    events[0] = (struct epoll_event){.events = happened, .data.ptr = &stream};
    return 1;
}

int __wrap_epoll_ctl(int descriptor, int operation, int subject, struct epoll_event *event)
{
    (void)descriptor, (void)operation, (void)subject, (void)event;
    return 0;
}

int __wrap_close(int descriptor)
{
    (void)descriptor;
    return 0;
}

int __wrap_shutdown(int socket, int how)
{
    (void)socket, (void)how;
    return 0;
}

static struct transport *make_transport(void)
{
    struct transport *transport = object_make(plane, OBJECT_TRANSPORT, sizeof *transport);
    transport->id = 1;
    transport->receive_session = transport->send_session = plane;
    add_transport(plane, transport);
    return transport;
}

static void step(int kind, const uint8_t *data, size_t size)
{
    static uint8_t frame[MAX_DATAGRAM];
    size_t number = size >= 2 ? read_16(data) : 1;
    switch (kind) {
    case 0: /* something arrives; nothing at all is the end */
        arriving = data;
        arriving_size = size;
        happened = EPOLLIN;
        streams_run(plane, true);
        break;
    case 1: /* there is room again */
        taken_at_most = number;
        happened = EPOLLOUT;
        streams_run(plane, true);
        break;
    case 2:
    case 3: /* something is to be sent */
        number = 1 + number % MAX_DATAGRAM;
        memset(frame, (int)number & 0xff, number);
        stream_put(plane, &stream, frame, number, kind == 3);
        break;
    case 4: /* more than there is room for */
        memset(frame, 1200 & 0xff, 1200);
        for (size_t i = number & 1 ? number % 64 : number % 1024; i > 0; i--)
            stream_put(plane, &stream, frame, 1200, !(number & 1));
        break;
    default:
        plane->now += (int64_t)number * MILLISECOND;
        streams_run(plane, false);
    }
    if (stream.held < 0 || stream.held > FRAME_ROOM || stream.rest_at > stream.rest_end || stream.rest_end > FRAME_ROOM)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct transport *transport;
    if (plane == NULL) {
        plane = plane_alone(&started);
        transport = make_transport();
    }
    if (size < 1)
        return 0;
    bool stranger = data[0] & 1;
    data++, size--;
    known = left = taken_at_most = 0;
    transport->admitted_count = 0;
    plane->stun_count = 0;
    plane->now = started;
    memset(&stream, 0, offsetof(struct stream, input));
    address_from_text(&stream.address, "127.0.0.1", 5001);
    stream.address.tcp = true;
    stream.urgent = (struct frames){stream.urgent_room, URGENT_ROOM, 0, 0};
    stream.video = (struct frames){stream.video_room, VIDEO_ROOM, 0, 0};
    stream_adopt(plane, &stream);
    if (!stranger)
        validate_address(plane, transport, &stream.address, true);
    while (size >= 3 && stream_find(plane, &stream.address) != NULL) {
        int kind = data[0] % 6;
        size_t bytes = read_16(data + 1);
        data += 3, size -= 3;
        bytes = bytes < size ? bytes : size;
        step(kind, data, bytes);
        data += bytes;
        size -= bytes;
    }
    streams_close(plane);
    if (address_table_find(&plane->addresses, &stream.address) != NULL || transport->tcp != NULL)
        abort();
    graveyard_take(&plane->graveyard);
    byte_ring_take(&plane->events, byte_ring_used(&plane->events));
    return 0;
}
