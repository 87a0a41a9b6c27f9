/* What a transport has for congestion control: when its packets arrived, what it was sent and when, what waits for
 * its turn, and the probe under way. Each part is made only for the transports that need it. */

#ifndef KONSIL_CONGESTION_H
#define KONSIL_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct consumer;
struct encoding;
struct transport;

#define ARRIVALS 1024 /* numbers that are remembered: half a second of a 4K stream */
#define SENT_AT_FIRST 512
#define SENT_AT_MOST 16384 /* packets that may wait for feedback */
#define SENT_UNANSWERED 1024 /* the same, while the peer has never given any */
#define WAITING_REPEATS 512
#define WAITING_VIDEO 2048
#define PROTECTION_SUMS 4

/* Which parts: the order of transport.parts. */
enum part { PART_ARRIVALS, PART_SENT, PART_PACER, PARTS };

/* transport_wide.c: arrivals until they are told to the publisher. Ticks: 250 us, 0 where nothing arrived. */
struct arrivals {
    struct transport *transport;
    struct arrivals *next; /* of those that have something to tell */
    bool started, listed;
    uint64_t told, highest; /* everything before `told` was told */
    int waiting;
    int64_t patience, due; /* ns, monotonic */
    uint8_t count;
    uint32_t ssrc;
    uint32_t ticks[ARRIVALS];
};

#define ARRIVALS_ROOM 1200

/* Note a packet; whether it was the first with its number. `due` says when to tell. */
bool arrivals_note(struct arrivals *arrivals, int64_t now, uint16_t number, int64_t arrival, uint32_t ssrc);
/* Write a compound packet, ARRIVALS_ROOM bytes at most, of as many arrivals as fit, each within 8 s of the one
 * before; return its size, 0 when all is told. */
size_t arrivals_tell(struct arrivals *arrivals, uint8_t *data);

/* sent_window.c: what was sent, by transport-wide number. */
struct sent {
    uint32_t time; /* us, of CLOCK_REALTIME, modulo 2^32 */
    uint16_t size; /* with SENT_LOST; 0: answered */
    uint16_t cluster;
};

struct sent_window {
    uint64_t first, next; /* the numbers that are held */
    uint32_t mask;        /* of the part that is in use; it grows with the rate */
    bool seen_tick;
    int64_t tick; /* the peer's clock, unwrapped */
    struct sent entries[SENT_AT_MOST];
};

/* pacer.c: references to packets in histories. */
struct waiting {
    struct consumer *consumer;
    struct encoding *encoding;
    uint64_t sequence, out;
    uint32_t since;         /* ms, monotonic */
    uint16_t size;
    bool key_frame;
};

struct waiting_queue {
    struct waiting *entries;
    int room, first, count; /* from `first` on, round the end */
};

struct pacer {
    struct transport *transport;
    struct pacer *next; /* of those in which something waits */
    bool listed;
    int64_t rate;    /* bit/s, 0: nothing waits */
    int64_t free_at; /* ns, monotonic */
    struct waiting_queue repeats, video;
    struct waiting repeat_entries[WAITING_REPEATS], video_entries[WAITING_VIDEO];
};

/* probe_out.c */
struct probe_out {
    struct transport *next; /* of those that are probed */
    uint16_t cluster;       /* 0: none under way */
    uint16_t turn;
    int64_t rate, left, next_at; /* bit/s, bytes, ns */
};

/* fec.c: the exclusive or of some packets. */
struct protection_sum {
    uint64_t mask; /* bit i: number base + i */
    uint8_t first, second;
    uint16_t length;
    uint32_t timestamp;
    int longest;
    _Alignas(8) uint8_t rest[1504];
};

struct protection {
    int share, credit; /* of 1,024 */
    uint64_t base, newest;
    int count;
    struct protection_sum sums[PROTECTION_SUMS];
};

#endif
