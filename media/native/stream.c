/* TCP streams: frames in, to where datagrams go; frames out, urgent ones first, the oldest video dropped where the
 * line is slower than what is sent. Nothing here waits: a slow or silent peer costs its own memory, no time. */

#define _GNU_SOURCE
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "plane.h"

#define READ_AT_ONCE 16384                 /* bytes of one stream a turn, so that all get theirs */
#define READY_AT_ONCE 32                   /* streams a turn; those that are left come first in the next */
#define STREAM_SLOTS (2 * STREAMS_AT_MOST) /* of the table of addresses, which is never more than half full */
#define SWEEP_EVERY (250 * MILLISECOND)
#define UNSENT_IN_KERNEL (128 << 10) /* what waits here can still be dropped, what waits there cannot */
#define DEAD_AFTER_MS 15000          /* without an acknowledgement */

struct stream_set {
    int epoll, count;
    struct stream *first, *dirty;
    struct address_table table;
    int64_t sweep_at, patience;
    uint8_t room[FRAME_ROOM + READ_AT_ONCE];
    _Alignas(8) uint8_t frame[FRAME_ROOM];
};

struct stream *stream_make(struct plane *plane, int socket, const struct address *address, const uint8_t *first,
                           size_t size)
{
    struct stream *stream = object_make(plane, OBJECT_STREAM, sizeof *stream);
    if (stream == NULL) {
        close(socket);
        errno = ENOMEM;
        return NULL;
    }
    int on = 1, unsent = UNSENT_IN_KERNEL, dead = DEAD_AFTER_MS, one = 1;
    stream->socket = socket;
    stream->address = *address;
    stream->urgent = (struct frames){stream->urgent_room, URGENT_ROOM, 0, 0};
    stream->video = (struct frames){stream->video_room, VIDEO_ROOM, 0, 0};
    stream->held = (int)size;
    memcpy(stream->input, first, size);
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
    setsockopt(socket, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one); /* whoever accepted it may have waited for more */
    if (fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK) == 0)
        return stream;
    object_free(plane, &stream->retired); /* closes the socket */
    return NULL;
}

bool streams_open(struct plane *plane, int64_t patience)
{
    struct stream_set *set = calloc(1, sizeof *set);
    plane->streams = set;
    if (set == NULL)
        return false;
    set->sweep_at = INT64_MAX;
    set->patience = patience;
    set->epoll = epoll_create1(EPOLL_CLOEXEC);
    return set->epoll >= 0 && address_table_make(&set->table, STREAM_SLOTS, plane->addresses.seed);
}

void streams_free(struct plane *plane)
{
    struct stream_set *set = plane->streams;
    if (set == NULL)
        return;
    if (set->epoll >= 0)
        close(set->epoll);
    address_table_free(&set->table);
    free(set);
    plane->streams = NULL;
}

int streams_poll(const struct plane *plane)
{
    return plane->streams->count > 0 ? plane->streams->epoll : -1;
}

int64_t streams_timer(const struct plane *plane)
{
    return plane->streams->sweep_at;
}

struct stream *stream_find(const struct plane *plane, const struct address *address)
{
    return address_table_find(&plane->streams->table, address);
}

static void watch(struct plane *plane, struct stream *stream, int operation)
{
    struct epoll_event wanted = {.events = EPOLLIN | (stream->full ? (uint32_t)EPOLLOUT : 0), .data.ptr = stream};
    epoll_ctl(plane->streams->epoll, operation, stream->socket, &wanted);
}

/* The peer is told at once; the memory is Python's to free. */
static void part_with(struct plane *plane, struct stream *stream)
{
    close(stream->socket);
    stream->socket = -1;
    retire(plane, stream);
}

static void refuse(struct plane *plane, struct stream *stream)
{
    post_event(plane, EVENT_STREAM_CLOSED, NULL, &stream->address, realtime_ns(), 0, NULL, 0);
    part_with(plane, stream);
}

static void end(struct plane *plane, struct stream *stream)
{
    struct stream_set *set = plane->streams;
    struct stream **link = &set->first;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
    for (link = &set->dirty; stream->dirty && *link != NULL; link = &(*link)->next_dirty)
        if (*link == stream) {
            *link = stream->next_dirty;
            break;
        }
    address_table_remove(&set->table, &stream->address);
    set->count--;
    note(&plane->stream_count, (uint64_t)set->count);
    struct transport *transport = address_table_find(&plane->addresses, &stream->address);
    post_event(plane, EVENT_STREAM_CLOSED, transport, &stream->address, realtime_ns(), 0, NULL, 0);
    if (transport != NULL)
        lose_address(plane, transport, &stream->address);
    part_with(plane, stream);
}

/* Whether one host has as many streams as it may have before it shows that it is somebody. */
static bool crowded(const struct plane *plane, const struct address *address)
{
    int strangers = 0;
    for (struct stream *other = plane->streams->first; other != NULL; other = other->next)
        strangers += memcmp(other->address.ip, address->ip, sizeof address->ip) == 0 &&
                     address_table_find(&plane->addresses, &other->address) == NULL;
    return strangers >= STRANGERS_A_HOST;
}

/* Take the frames among the first `size` bytes of the room; false when they show that this is no peer of ours. */
static bool take_frames(struct plane *plane, struct stream *stream, size_t size)
{
    struct stream_set *set = plane->streams;
    size_t at = 0;
    int64_t time = realtime_ns();
    for (int frames = 1; size - at >= 2; frames++) {
        size_t length = read_16(set->room + at);
        if (length > MAX_DATAGRAM) {
            drop(plane, DROP_OVERSIZED);
            return false;
        }
        if (size - at < 2 + length)
            break;
        const uint8_t *frame = set->room + at + 2;
        bool known = address_table_find(&plane->addresses, &stream->address) != NULL;
        if (!known && (length == 0 || frame[0] > 3)) {
            drop(plane, DROP_STRANGER);
            return false;
        }
        memcpy(set->frame, frame, length);
        count_up(&plane->datagrams_in, 1);
        count_up(&plane->bytes_in, length);
        classify(plane, set->frame, length, &stream->address, time);
        at += 2 + length;
        if (frames % RECEIVE_BATCH == 0)
            fan_out(plane);
    }
    stream->held = (int)(size - at);
    memcpy(stream->input, set->room + at, size - at);
    fan_out(plane);
    return true;
}

static bool receive(struct plane *plane, struct stream *stream)
{
    struct stream_set *set = plane->streams;
    ssize_t got = recv(stream->socket, set->room + stream->held, READ_AT_ONCE, MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    memcpy(set->room, stream->input, (size_t)stream->held);
    return take_frames(plane, stream, (size_t)stream->held + (size_t)got);
}

void stream_adopt(struct plane *plane, struct stream *stream)
{
    struct stream_set *set = plane->streams;
    if (set->count == STREAMS_AT_MOST || stream_find(plane, &stream->address) != NULL ||
        crowded(plane, &stream->address) || !address_table_put(&set->table, &stream->address, stream)) {
        refuse(plane, stream);
        return;
    }
    stream->adopted = plane->now;
    stream->next = set->first;
    set->first = stream;
    set->count++;
    note(&plane->stream_count, (uint64_t)set->count);
    if (set->sweep_at == INT64_MAX)
        set->sweep_at = plane->now + SWEEP_EVERY;
    watch(plane, stream, EPOLL_CTL_ADD);
    memcpy(set->room, stream->input, (size_t)stream->held);
    if (!take_frames(plane, stream, (size_t)stream->held))
        end(plane, stream);
}

static uint32_t frame_at(const struct frames *frames, uint64_t position)
{
    uint32_t mask = frames->size - 1;
    return 2u + (uint32_t)(frames->room[position & mask] << 8 | frames->room[(position + 1) & mask]);
}

static void copy_in(struct frames *frames, const uint8_t *data, size_t size)
{
    size_t at = frames->end & (frames->size - 1);
    size_t before = frames->size - at < size ? frames->size - at : size;
    memcpy(frames->room + at, data, before);
    memcpy(frames->room, data + before, size - before);
    frames->end += size;
}

/* Bytes of the frames, from `first` on, as at most two vectors. */
static int vectors_of(const struct frames *frames, struct iovec *vectors)
{
    size_t at = frames->first & (frames->size - 1), size = (size_t)(frames->end - frames->first);
    size_t before = frames->size - at < size ? frames->size - at : size;
    if (size == 0)
        return 0;
    vectors[0] = (struct iovec){frames->room + at, before};
    vectors[1] = (struct iovec){frames->room, size - before};
    return size > before ? 2 : 1;
}

void stream_put(struct plane *plane, struct stream *stream, const uint8_t *data, size_t size, bool video)
{
    struct frames *frames = video ? &stream->video : &stream->urgent;
    uint8_t length[2];
    while (frames->size - (frames->end - frames->first) < 2 + size) {
        frames->first += frame_at(frames, frames->first);
        drop(plane, DROP_STREAM_FULL);
    }
    write_16(length, (uint16_t)size);
    copy_in(frames, length, 2);
    copy_in(frames, data, size);
    if (!stream->dirty && !stream->full) {
        stream->dirty = true;
        stream->next_dirty = plane->streams->dirty;
        plane->streams->dirty = stream;
    }
}

/* Take away what was sent. A frame that was sent in part moves to `rest`, so that all others can be dropped. */
static size_t take_sent(struct stream *stream, struct frames *frames, size_t sent)
{
    while (sent > 0 && frames->first != frames->end) {
        uint32_t size = frame_at(frames, frames->first);
        if (sent < size) {
            stream->rest_at = 0;
            stream->rest_end = (int)(size - sent);
            for (uint64_t i = sent; i < size; i++)
                stream->rest[i - sent] = frames->room[(frames->first + i) & (frames->size - 1)];
            sent = size;
        }
        frames->first += size;
        sent -= size;
    }
    return sent;
}

static void flush(struct plane *plane, struct stream *stream)
{
    struct iovec vectors[5];
    int count = 0;
    if (stream->rest_at < stream->rest_end)
        vectors[count++] = (struct iovec){stream->rest + stream->rest_at, (size_t)(stream->rest_end - stream->rest_at)};
    count += vectors_of(&stream->urgent, vectors + count);
    count += vectors_of(&stream->video, vectors + count);
    bool full = false;
    if (count > 0) {
        struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
        ssize_t sent = sendmsg(stream->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        count_up(&plane->send_calls, 1);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            shutdown(stream->socket, SHUT_RDWR); /* epoll will tell, in its time */
        size_t left = sent > 0 ? (size_t)sent : 0;
        size_t rest = (size_t)(stream->rest_end - stream->rest_at);
        stream->rest_at += (int)(left < rest ? left : rest);
        left -= left < rest ? left : rest;
        left = take_sent(stream, &stream->urgent, left);
        take_sent(stream, &stream->video, left);
        full = stream->rest_at < stream->rest_end || stream->urgent.first != stream->urgent.end ||
               stream->video.first != stream->video.end;
    }
    if (full != stream->full) {
        stream->full = full;
        watch(plane, stream, EPOLL_CTL_MOD);
    }
}

void streams_flush(struct plane *plane)
{
    struct stream *stream;
    while ((stream = plane->streams->dirty) != NULL) {
        plane->streams->dirty = stream->next_dirty;
        stream->dirty = false;
        flush(plane, stream);
    }
}

/* Close what ICE has not validated in time, or no longer knows. */
static void sweep(struct plane *plane)
{
    struct stream_set *set = plane->streams;
    for (struct stream *stream = set->first, *next; stream != NULL; stream = next) {
        next = stream->next;
        if (plane->now - stream->adopted >= set->patience &&
            address_table_find(&plane->addresses, &stream->address) == NULL)
            end(plane, stream);
    }
    set->sweep_at = set->count > 0 ? plane->now + SWEEP_EVERY : INT64_MAX;
}

void streams_run(struct plane *plane, bool ready)
{
    struct stream_set *set = plane->streams;
    struct epoll_event events[READY_AT_ONCE];
    int count = ready ? epoll_wait(set->epoll, events, READY_AT_ONCE, 0) : 0;
    for (int i = 0; i < count; i++) {
        struct stream *stream = events[i].data.ptr;
        if (events[i].events & EPOLLOUT)
            flush(plane, stream);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !receive(plane, stream))
            end(plane, stream);
    }
    streams_flush(plane);
    if (plane->now >= set->sweep_at)
        sweep(plane);
}

void streams_close(struct plane *plane)
{
    while (plane->streams->first != NULL)
        end(plane, plane->streams->first);
}
