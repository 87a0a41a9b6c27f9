/* The probe: many cheap WebRTC clients in one process, for load tests. It sends prepared frames in real time,
 * each packet stamped, and measures what it receives. ICE and DTLS are Python's, over the same sockets. */

#ifndef KONSIL_PROBE_H
#define KONSIL_PROBE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "addresses.h"
#include "congestion.h"
#include "histogram.h"
#include "ring.h"
#include "srtp.h"

#define PROBE_SOCKETS 256
#define PROBE_STREAMS 32      /* SSRCs that one socket counts */
#define PROBE_SENDERS 64      /* streams that are sent, of all sockets */
#define PROBE_HISTORY 4096    /* protected packets that a sender can repeat; a power of two */
#define PROBE_WINDOW 4096     /* numbers in which a duplicate is noticed; a power of two */
#define PROBE_PACKET 1536
#define PROBE_MAX_BURST 64
#define PROBE_STAMP_IN_PAYLOAD 255 /* for a capture time's id: the stamp is the payload's last 8 bytes */

/* What came of one SSRC. */
struct probe_stream {
    uint32_t ssrc;
    uint64_t highest, first;
    uint64_t seen[PROBE_WINDOW / 64];
    counter packets, bytes, lost, duplicates, reordered, unstamped;
};

struct probe_socket {
    int descriptor;
    struct address address;
    pthread_mutex_t sending; /* the send session has two users: the sender's thread and NACKs' answers */
    _Atomic(void *) receive_session, send_session;
    struct sockaddr_storage remote;
    socklen_t remote_size;
    int capture_time_id, wide_id;
    struct arrivals arrivals; /* told to the sender where `wide_id` is set */
    struct probe_stream streams[PROBE_STREAMS];
    _Atomic int stream_count;
    uint32_t overflow;
    counter unauthenticated, other, queue_drops;
    counter latency[LATENCY_BUCKETS];
};

struct probe_payload {
    uint32_t offset;
    uint16_t size;
};

/* A stream that is sent: frames in a loop. */
struct probe_sender {
    struct probe_socket *socket;
    uint32_t ssrc, clock_rate;
    uint8_t payload_type;
    uint8_t extensions[64]; /* the whole block; the stamp stands at `stamp` */
    int extensions_size, stamp;
    bool stamp_in_payload;
    double fps;
    int bursts;
    _Atomic uint64_t wanted_rate; /* thousandths of a frame a second << 8 | bursts; 0: as it is */

    uint8_t *data;
    struct probe_payload *payloads;
    uint32_t *frames; /* the first payload of each frame, and the end of the last */
    uint32_t frame_count;

    int64_t start;   /* monotonic ns of frame 0 at this rate */
    uint64_t frame;  /* the next to be sent at this rate */
    uint32_t first_timestamp; /* of frame 0 at this rate */
    uint32_t looped; /* the same, in the loop */
    int burst;       /* the next of this frame */
    uint64_t sequence;
    uint8_t *history; /* PROBE_HISTORY protected packets */
    uint16_t *history_sizes;
    uint16_t *history_numbers;
    _Atomic bool running, restart;
    counter packets, octets, repeated, late, last_timestamp, last_sent;
};

struct probe {
    int epoll, event_event;
    pthread_t receiver, transmitter;
    _Atomic bool stopping;
    struct probe_socket *sockets[PROBE_SOCKETS];
    _Atomic int socket_count;
    struct probe_sender *senders[PROBE_SENDERS];
    _Atomic int sender_count;
    struct byte_ring events;
    counter events_lost;
};

/* probe_receive.c, probe_send.c: the two threads */
void *probe_receive(void *probe);
void *probe_transmit(void *probe);
/* Send again, from the history, what a NACK names. */
void probe_repeat(struct probe *probe, struct probe_socket *socket, uint32_t ssrc, uint16_t sequence);
int64_t probe_stamp_to_ns(const uint8_t *stamp);
void probe_ns_to_stamp(int64_t now, uint8_t *stamp);

#endif
