/* TCP streams that carry what datagrams carry, each with its length before it (RFC 4571): ICE-TCP (RFC 6544). */

#ifndef KONSIL_STREAM_H
#define KONSIL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "addresses.h"
#include "ring.h"

#define STREAMS_AT_MOST 1024
#define STRANGERS_A_HOST 32                       /* streams that ICE has not validated, from one host */
#define FRAME_ROOM 1664                           /* a length, the longest packet, and what protecting adds */
#define URGENT_ROOM (64 << 10)                    /* waiting: STUN, DTLS, RTCP, sound */
#define VIDEO_ROOM (1 << 20)                      /* waiting: a key frame of a 4K picture, and more */

struct plane;
struct transport;

/* Frames as they go out, one behind the other, round the end. Positions only grow. */
struct frames {
    uint8_t *room;
    uint32_t size; /* a power of two */
    uint64_t first, end;
};

struct stream {
    struct retired retired;
    struct stream *next, *next_dirty; /* of the plane's; of those with something new to send */
    struct address address;
    int socket;
    int64_t adopted; /* monotonic ns */
    bool dirty, full; /* `full`: the kernel has no room, it will tell */
    int held;                  /* bytes of a frame whose rest is still to come */
    int rest_at, rest_end;     /* of a frame whose beginning has been sent */
    struct frames urgent, video;
    uint8_t input[FRAME_ROOM], rest[FRAME_ROOM];
    uint8_t urgent_room[URGENT_ROOM], video_room[VIDEO_ROOM];
};

struct stream_set; /* stream.c */

/* By Python, before it hands the stream over. Takes the socket, which it closes on failure (then NULL, errno). */
struct stream *stream_make(struct plane *plane, int socket, const struct address *address, const uint8_t *first,
                           size_t size);

bool streams_open(struct plane *plane, int64_t patience); /* ns in which ICE has to validate a stream */
void streams_free(struct plane *plane);
int streams_poll(const struct plane *plane); /* a descriptor that is readable when a stream is ready; -1: none is held */
int64_t streams_timer(const struct plane *plane);
void streams_run(struct plane *plane, bool ready); /* once a turn: move what can be moved, close what is over */
void streams_flush(struct plane *plane);           /* send what was put in */
void streams_close(struct plane *plane);           /* all of them */
void stream_adopt(struct plane *plane, struct stream *stream);
struct stream *stream_find(const struct plane *plane, const struct address *address);
void stream_put(struct plane *plane, struct stream *stream, const uint8_t *data, size_t size, bool video);

#endif
