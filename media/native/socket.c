/* The two ends of a packet's way: receive_batch and send_batch, and the socket between them and the kernel. */

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plane.h"
#include "segments.h"

#define RECEIVE_ROOM 2048 /* more than MAX_DATAGRAM, so that a longer datagram shows */
#define SEND_PATIENCE 20  /* times 1 ms that a full send buffer is waited for, a batch */

struct receive_buffers {
    struct mmsghdr messages[RECEIVE_BATCH];
    struct iovec vectors[RECEIVE_BATCH];
    struct sockaddr_storage names[RECEIVE_BATCH];
    _Alignas(8) uint8_t controls[RECEIVE_BATCH][CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(uint32_t))];
    uint8_t data[RECEIVE_BATCH][RECEIVE_ROOM];
};

struct send_buffers {
    struct mmsghdr messages[SEND_QUEUE];
    struct iovec vectors[SEND_QUEUE];
    struct segment_control controls[SEND_QUEUE];
    int firsts[SEND_QUEUE]; /* of each message, its first packet in the queue */
    uint8_t data[SEND_QUEUE][SEND_ROOM];
};

int64_t realtime_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

/* Ask for a buffer size, beyond the system's limit where we may; return what the kernel gave. The kernel
 * doubles what is asked for, to pay for its own book-keeping, and reports the double. */
static int ask_for_buffer(int socket, int forced, int ordinary, int size)
{
    if (setsockopt(socket, SOL_SOCKET, forced, &size, sizeof size) != 0)
        setsockopt(socket, SOL_SOCKET, ordinary, &size, sizeof size);
    int got = 0;
    socklen_t length = sizeof got;
    getsockopt(socket, SOL_SOCKET, ordinary, &got, &length);
    return got / 2;
}

bool socket_open(struct plane *plane, const struct address *address, int buffer, const char **error)
{
    struct sockaddr_storage name;
    plane->family = AF_INET;
    socklen_t size = address_to_socket(address, AF_INET, &name);
    if (size == 0) {
        plane->family = AF_INET6;
        size = address_to_socket(address, AF_INET6, &name);
    }
    plane->socket = socket(plane->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (plane->socket < 0) {
        *error = "socket";
        return false;
    }
    int on = 1, off = 0;
    setsockopt(plane->socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); /* :: is for IPv4 too */
    setsockopt(plane->socket, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    plane->receive_buffer = ask_for_buffer(plane->socket, SO_RCVBUFFORCE, SO_RCVBUF, buffer);
    plane->send_buffer = ask_for_buffer(plane->socket, SO_SNDBUFFORCE, SO_SNDBUF, buffer);
    if (setsockopt(plane->socket, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0) {
        *error = "SO_TIMESTAMPNS";
        return false;
    }
    if (plane->group != NULL)
        setsockopt(plane->socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(plane->socket, (struct sockaddr *)&name, size) != 0) {
        *error = "bind";
        return false;
    }
    size = sizeof name;
    getsockname(plane->socket, (struct sockaddr *)&name, &size);
    address_from_socket(&plane->address, (struct sockaddr *)&name);

    /* 0 leaves ordinary sends as they are, and tells whether the kernel knows the option */
    int segment = 0;
    plane->gso = setsockopt(plane->socket, SOL_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0;

    plane->receive = aligned_alloc(64, (sizeof *plane->receive + 63) & ~63u);
    plane->send = aligned_alloc(64, (sizeof *plane->send + 63) & ~63u);
    if (plane->receive == NULL || plane->send == NULL) {
        *error = "memory";
        return false;
    }
    memset(plane->receive, 0, sizeof *plane->receive);
    memset(plane->send, 0, sizeof *plane->send);
    for (int i = 0; i < RECEIVE_BATCH; i++) {
        plane->receive->vectors[i] = (struct iovec){plane->receive->data[i], RECEIVE_ROOM};
        struct msghdr *header = &plane->receive->messages[i].msg_hdr;
        header->msg_name = &plane->receive->names[i];
        header->msg_iov = &plane->receive->vectors[i];
        header->msg_iovlen = 1;
        header->msg_control = plane->receive->controls[i];
    }
    return true;
}

void socket_close(struct plane *plane)
{
    if (plane->socket >= 0)
        close(plane->socket);
    plane->socket = -1;
    free(plane->receive);
    free(plane->send);
    plane->receive = NULL;
    plane->send = NULL;
}

/* The kernel's time stamp; count what its queue had no room for. */
static int64_t read_controls(struct plane *plane, struct msghdr *header)
{
    int64_t time = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level != SOL_SOCKET)
            continue;
        if (control->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(control), sizeof stamp);
            time = stamp.tv_sec * SECOND + stamp.tv_nsec;
        } else if (control->cmsg_type == SO_RXQ_OVFL) {
            uint32_t overflow;
            memcpy(&overflow, CMSG_DATA(control), sizeof overflow);
            count_up(&plane->drops[DROP_RECEIVE_QUEUE], overflow - plane->receive_overflow);
            plane->receive_overflow = overflow;
        }
    }
    return time != 0 ? time : realtime_ns();
}

void receive_batch(struct plane *plane)
{
    struct receive_buffers *buffers = plane->receive;
    for (;;) {
        for (int i = 0; i < RECEIVE_BATCH; i++) {
            buffers->messages[i].msg_hdr.msg_namelen = sizeof buffers->names[i];
            buffers->messages[i].msg_hdr.msg_controllen = sizeof buffers->controls[i];
        }
        int received = recvmmsg(plane->socket, buffers->messages, RECEIVE_BATCH, MSG_DONTWAIT, NULL);
        if (received <= 0)
            return;
        count_up(&plane->datagrams_in, (uint64_t)received);
        plane->now = monotonic_ns();
        for (int i = 0; i < received; i++) {
            struct msghdr *header = &buffers->messages[i].msg_hdr;
            struct address address;
            count_up(&plane->bytes_in, buffers->messages[i].msg_len);
            address_from_socket(&address, (struct sockaddr *)&buffers->names[i]);
            classify(plane, buffers->data[i], buffers->messages[i].msg_len, &address, read_controls(plane, header));
        }
        fan_out(plane);
        if (plane->to_wake != 0)
            shard_wake_others(plane);
        /* a full batch may have left more; but commands and timers get their turn */
        if (received < RECEIVE_BATCH || atomic_load_explicit(&plane->commands_written, memory_order_relaxed) !=
                                            atomic_load_explicit(&plane->commands_read, memory_order_relaxed))
            return;
        if (plane->now >= plane_timer(plane) || plane->events_written || shard_was_handed(plane))
            return;
    }
}

bool send_batch_has_room(struct plane *plane, int packets)
{
    return plane->queued + packets <= SEND_QUEUE;
}

uint8_t *send_batch_room(struct plane *plane)
{
    return plane->send->data[plane->queued];
}

/* Wait until the socket can take more; false when the patience of this batch is used up. */
static bool wait_for_room(struct plane *plane, int *patience)
{
    if ((*patience)-- <= 0)
        return false;
    struct pollfd writable = {plane->socket, POLLOUT, 0};
    poll(&writable, 1, 1);
    return true;
}

/* Send the packets of one refused GSO message one by one. Their vectors stand one behind the other. */
static void send_singly(struct plane *plane, const struct msghdr *message, bool *sent, int *patience)
{
    for (size_t i = 0; i < message->msg_iovlen; i++) {
        struct msghdr single = {.msg_name = message->msg_name,
                                .msg_namelen = message->msg_namelen,
                                .msg_iov = &message->msg_iov[i],
                                .msg_iovlen = 1};
        ssize_t result;
        do {
            result = sendmsg(plane->socket, &single, MSG_DONTWAIT);
            count_up(&plane->send_calls, 1);
        } while (result < 0 && errno == EAGAIN && wait_for_room(plane, patience));
        sent[i] = result >= 0;
    }
}

/* Turn the queue into messages: what goes to one address together, as few of them as may be. What goes into a
 * stream is put there, and counts as sent. */
static int group(struct plane *plane, bool *sent)
{
    struct send_buffers *buffers = plane->send;
    int messages = 0;
    for (int first = 0, end; first < plane->queued; first = end) {
        struct transport *transport = plane->queue[first].consumer->transport;
        for (end = first; end < plane->queued && plane->queue[end].consumer->transport == transport; end++)
            buffers->vectors[end] = (struct iovec){buffers->data[end], plane->queue[end].size};
        for (int i = first; transport->tcp != NULL && i < end; i++) {
            bool video = plane->queue[i].consumer->producer->codec != CODEC_OPUS;
            stream_put(plane, transport->tcp, buffers->data[i], plane->queue[i].size, video);
            sent[i] = true;
        }
        if (transport->tcp != NULL)
            continue;
        buffers->firsts[messages] = first;
        int more = segment(&buffers->vectors[first], end - first, plane->gso, &transport->name,
                            transport->name_size, &buffers->messages[messages], &buffers->controls[messages]);
        for (int i = 1; i < more; i++) {
            size_t before = buffers->messages[messages + i - 1].msg_hdr.msg_iovlen;
            buffers->firsts[messages + i] = buffers->firsts[messages + i - 1] + (int)before;
        }
        messages += more;
    }
    return messages;
}

/* What is sent beside the stream itself. */
static void account_beside(const struct outgoing *outgoing)
{
    struct transport *transport = outgoing->consumer->transport;
    if (outgoing->kind == SENDING_REPEAT) {
        count_up(&outgoing->consumer->retransmitted, 1);
    } else if (outgoing->kind == SENDING_PROTECTION) {
        count_up(&transport->fec_packets, 1);
        count_up(&transport->fec_bytes, outgoing->size);
    } else {
        count_up(&transport->padding_packets, 1);
        count_up(&transport->padding_bytes, outgoing->size);
    }
}

static void account(struct plane *plane, const bool *sent)
{
    int64_t now = realtime_ns();
    for (int i = 0; i < plane->queued; i++) {
        struct outgoing *outgoing = &plane->queue[i];
        struct consumer *consumer = outgoing->consumer;
        if (!sent[i]) {
            drop(plane, DROP_SEND_FAILED);
            continue;
        }
        count_up(&plane->packets_out, 1);
        count_up(&plane->bytes_out, outgoing->size);
        count_up(&consumer->transport->packets_out, 1);
        count_up(&consumer->transport->bytes_out, outgoing->size);
        if (outgoing->kind > SENDING_LATER) {
            account_beside(outgoing);
            continue;
        }
        count_up(&consumer->packets, 1);
        count_up(&consumer->octets, outgoing->octets);
        note(&consumer->last_timestamp, outgoing->timestamp);
        note(&consumer->last_sent, (uint64_t)now);
        if (outgoing->kind == SENDING_LATER)
            continue; /* its wait is not the plane's slowness */
        int bucket = transit_bucket(now - outgoing->packet->arrival);
        count_up(&plane->transit[bucket], 1);
        count_up(&consumer->producer->transit[bucket], 1);
    }
}

void send_batch(struct plane *plane)
{
    if (plane->queued == 0)
        return;
    bool sent[SEND_QUEUE];
    struct mmsghdr *messages = plane->send->messages;
    const int *firsts = plane->send->firsts;
    int count = group(plane, sent);
    int patience = SEND_PATIENCE;
    for (int i = 0; i < count;) {
        int done = sendmmsg(plane->socket, messages + i, (unsigned)(count - i), MSG_DONTWAIT);
        int error = errno;
        count_up(&plane->send_calls, 1);
        for (int end = i + (done > 0 ? done : 0); i < end; i++)
            for (size_t k = 0; k < messages[i].msg_hdr.msg_iovlen; k++)
                sent[firsts[i] + (int)k] = true;
        if (done > 0 || (error == EAGAIN && wait_for_room(plane, &patience)) || error == EINTR)
            continue;
        /* this one message was refused */
        bool *of_it = sent + firsts[i];
        struct msghdr *refused = &messages[i++].msg_hdr;
        bool segmented = refused->msg_iovlen > 1;
        memset(of_it, 0, refused->msg_iovlen * sizeof *sent);
        if (segmented && (error == EIO || error == EINVAL || error == ENOPROTOOPT || error == EMSGSIZE)) {
            /* EIO: the device cannot do checksums for it; the other errors may be this message's own */
            plane->gso = plane->gso && error != EIO && error != ENOPROTOOPT;
            send_singly(plane, refused, of_it, &patience);
        }
    }
    account(plane, sent);
    plane->queued = 0;
    streams_flush(plane);
}

void send_to_transport(struct plane *plane, struct transport *transport, const uint8_t *data, size_t length)
{
    if (transport->tcp != NULL)
        stream_put(plane, transport->tcp, data, length, false);
    else
        send_now(plane, &transport->name, transport->name_size, data, length);
}

void send_now(struct plane *plane, const struct sockaddr_storage *name, socklen_t size, const uint8_t *data,
              size_t length)
{
    int patience = 1;
    ssize_t result;
    do {
        result = sendto(plane->socket, data, length, MSG_DONTWAIT, (const struct sockaddr *)name, size);
    } while (result < 0 && errno == EAGAIN && wait_for_room(plane, &patience));
    if (result < 0)
        drop(plane, DROP_SEND_FAILED);
}
