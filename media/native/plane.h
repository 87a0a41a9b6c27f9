/* The packet plane: its nouns, and the stages that a packet passes, in the order of DESIGN.md, section 3.
 *
 *     receive_batch -> classify -> unprotect -> ingress (-> history, tap) -> fan_out -> protect -> send_batch
 *
 * Everything here belongs to the plane's one thread. Python hands objects in through the command ring, and
 * gets them back through the graveyard to free them; in between it only reads counters.
 */

#ifndef KONSIL_PLANE_H
#define KONSIL_PLANE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "addresses.h"
#include "objects.h"
#include "shard.h"
#include "srtp.h"
#include "stream.h"

#define SEND_QUEUE 128 /* packets: 200 KB, which stay in the second-level cache */
#define SEND_ROOM 1600 /* a packet and what protecting adds */
#define COMMANDS 4096


/* media.plane.Drop */
enum drop {
    DROP_EMPTY,
    DROP_SHORT,
    DROP_OVERSIZED,
    DROP_UNKNOWN_PROTOCOL,
    DROP_STRANGER,
    DROP_NO_KEYS,
    DROP_AUTHENTICATION,
    DROP_REPLAYED,
    DROP_MALFORMED,
    DROP_UNKNOWN_SSRC,
    DROP_DUPLICATE,
    DROP_TOO_OLD,
    DROP_PAUSED,
    DROP_AWAITING_KEY_FRAME,
    DROP_NOT_IN_HISTORY,
    DROP_NACK_LIMIT,
    DROP_PROTECT_FAILED,
    DROP_TOO_LARGE,
    DROP_SEND_FAILED,
    DROP_EVENT_QUEUE_FULL,
    DROP_TAP_FULL,
    DROP_RATE_LIMIT,
    DROP_PADDING,
    DROP_UNKNOWN_PAYLOAD_TYPE,
    DROP_RECEIVE_QUEUE,
    DROP_PACER_FULL,
    DROP_STREAM_FULL,
    DROP_LAYER,
    DROP_SHARD_FULL,
    DROPS
};

/* media.plane.EventKind */
enum event_kind {
    EVENT_STUN,
    EVENT_DTLS,
    EVENT_RTCP,
    EVENT_UNKNOWN_SSRC,
    EVENT_KEY_FRAME_WANTED,
    EVENT_KEY_FRAME,
    EVENT_REMOVED,
    EVENT_LAYER,
    EVENT_FEEDBACK,
    EVENT_STREAM_CLOSED
};

enum command_kind {
    COMMAND_ADD_TRANSPORT,
    COMMAND_VALIDATE_ADDRESS,
    COMMAND_SET_KEYS,
    COMMAND_REMOVE_TRANSPORT,
    COMMAND_ADD_PRODUCER,
    COMMAND_MOVE_PRODUCER,
    COMMAND_REMOVE_PRODUCER,
    COMMAND_SET_TAP,
    COMMAND_SET_LOW_TAP,
    COMMAND_SET_ENCODING,
    COMMAND_SET_TIMESTAMP_OFFSET,
    COMMAND_SET_CAPTURE_OFFSET,
    COMMAND_SET_LAYER,
    COMMAND_ADD_CONSUMER,
    COMMAND_SET_PAUSED,
    COMMAND_REMOVE_CONSUMER,
    COMMAND_INJECT,
    COMMAND_SEND_DATAGRAM,
    COMMAND_SEND_TO,
    COMMAND_SEND_RTCP,
    COMMAND_ATTACH,
    COMMAND_SET_ROUND_TRIP,
    COMMAND_SET_PACING,
    COMMAND_PROBE,
    COMMAND_SET_FEC,
    COMMAND_ADOPT_STREAM,
    COMMAND_FORGET_ADDRESS,
    COMMAND_STOP
};

struct command {
    enum command_kind kind;
    bool flag; /* selected, enabled, paused */
    void *subject;
    struct block *block;
    void *receive_session, *send_session;
    struct address address;
    int64_t time;  /* or a rate, a share */
    int number[2]; /* of a probe: cluster, packets; of an encoding: its index; which part */
    void *part;    /* of a transport, attached by COMMAND_ATTACH; a transport, or NULL, to which a producer moves */
    uint32_t ssrc, rtx_ssrc; /* or a timestamp offset */
    struct layer layer;
};

/* Why a packet is sent. */
enum sending {
    SENDING_FIRST,      /* as it came */
    SENDING_LATER,      /* the first time too, but the pacer held it */
    SENDING_REPEAT,     /* a NACK's answer */
    SENDING_FILLING,    /* of a probe: a repeat that nobody asked for */
    SENDING_PADDING,    /* of a probe: nothing */
    SENDING_PROTECTION, /* FlexFEC */
};

/* A packet that is protected and waits for send_batch. */
struct outgoing {
    struct consumer *consumer;
    struct packet *packet; /* NULL: none of the producer's */
    uint32_t timestamp;    /* canonical */
    uint16_t size, octets;
    enum sending kind;
};

/* What Python decides once. */
struct plane_options {
    struct address address;
    int buffer;
    size_t tap_bytes, event_bytes;
    int64_t stream_patience; /* ns */
    struct shard_group *group; /* NULL: the only one */
    int shard;
};

struct receive_buffers; /* socket.c */
struct send_buffers;

#define HOSTS_COUNTED 256

struct plane {
    int socket, family, command_event, event_event;
    int receive_buffer, send_buffer;
    bool realtime, gso, stopping, events_written;
    pthread_t thread;
    struct address address;
    int64_t now; /* monotonic ns, at the beginning of this turn of the loop */

    struct transport *transports;
    struct producer *injected;
    struct address_table addresses;
    struct encoding *pending, *last_pending; /* encodings with packets to fan out */
    int64_t hold_timer;       /* monotonic ns; INT64_MAX: no picture is held back */
    int64_t nack_timer;       /* monotonic ns; INT64_MAX: nothing is missing */
    int64_t feedback_timer, pacer_timer, probe_timer;
    struct arrivals *telling;  /* publishers that are owed feedback */
    struct pacer *paced;       /* in which something waits */
    struct transport *probing; /* probes under way */
    int64_t sending_time;     /* realtime ns of this fan-out */
    int64_t stun_window;
    int stun_count;
    uint16_t stun_of[HOSTS_COUNTED]; /* of them, by host; some hosts share a place */
    uint32_t receive_overflow;

    struct stream_set *streams;
    struct shard_group *group; /* NULL: there is one shard */
    int shard;
    uint8_t *claims;  /* addresses of ours by home */
    unsigned to_wake; /* shards that were handed something, a bit each */
    bool taking;      /* what another one handed over */
    struct receive_buffers *receive;
    struct send_buffers *send;
    struct outgoing queue[SEND_QUEUE];
    int queued;

    struct command *commands;
    _Atomic uint64_t commands_written, commands_read;
    struct byte_ring events, tap;
    _Atomic(struct retired *) graveyard;

    int64_t live[OBJECT_KINDS]; /* objects made and not yet freed; Python's thread alone counts */

    counter packets_in, bytes_in, packets_out, bytes_out, send_calls, datagrams_in;
    counter stream_count, handed_over;
    counter drops[DROPS];
    counter transit[TRANSIT_BUCKETS];
};

static inline void drop(struct plane *plane, enum drop reason)
{
    count_up(&plane->drops[reason], 1);
}

static inline uint16_t read_16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t read_32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t read_64(const uint8_t *at)
{
    return (uint64_t)read_32(at) << 32 | read_32(at + 4);
}

static inline void write_16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void write_32(uint8_t *at, uint32_t value)
{
    write_16(at, (uint16_t)(value >> 16));
    write_16(at + 2, (uint16_t)value);
}

static inline void write_64(uint8_t *at, uint64_t value)
{
    write_32(at, (uint32_t)(value >> 32));
    write_32(at + 4, (uint32_t)value);
}

int64_t realtime_ns(void);
int64_t monotonic_ns(void);

/* plane.c: the thread */
struct plane *plane_make(const struct plane_options *options, const char **error);
void plane_close(struct plane *plane); /* joins the thread; everything is in the graveyard afterwards */
void plane_free(struct plane *plane);
int64_t plane_timer(const struct plane *plane); /* when something is due next, monotonic ns */

/* socket.c */
bool socket_open(struct plane *plane, const struct address *address, int buffer, const char **error);
void socket_close(struct plane *plane);
void receive_batch(struct plane *plane);
bool send_batch_has_room(struct plane *plane, int packets);
uint8_t *send_batch_room(struct plane *plane); /* SEND_ROOM bytes for the next packet of the queue */
void send_batch(struct plane *plane);
void send_now(struct plane *plane, const struct sockaddr_storage *name, socklen_t size, const uint8_t *data,
              size_t length);
void send_to_transport(struct plane *plane, struct transport *transport, const uint8_t *data, size_t length);

/* classify.c */
void classify(struct plane *plane, uint8_t *data, size_t size, const struct address *address, int64_t time);

/* unprotect.c */
void unprotect_rtp(struct plane *plane, struct transport *transport, uint8_t *data, size_t size,
                   const struct address *address, int64_t time);
bool unprotect_rtcp(struct plane *plane, struct transport *transport, uint8_t *data, size_t *size);

/* ingress.c */
void ingress(struct plane *plane, struct encoding *encoding, uint8_t *data, size_t size, int64_t arrival,
             bool rtx);
uint64_t encoding_lost(struct encoding *encoding);

/* extensions.c */
bool parse_layout(const uint8_t *data, size_t size, const uint8_t *extension_ids, struct layout *layout);
bool parse_packet(const uint8_t *data, size_t size, const uint8_t *extension_ids, struct layout *layout); /* any size */
int write_extensions(struct consumer *consumer, const struct packet *packet, const struct run *run, uint64_t number,
                     int64_t now, uint8_t *out);
int write_own_extensions(struct consumer *consumer, int64_t now, uint8_t *out); /* for a packet of no producer */
int write_fixed_extensions(const uint8_t *ids, const char *mid, size_t mid_size, int min_delay, int max_delay,
                           uint8_t *out);

/* red.c: where the newest block begins, whose payload type all must have; or why nobody is sent it */
enum { RED_MALFORMED = -1, RED_FOREIGN = -2 };
int red_newest(const uint8_t *payload, size_t size, uint8_t payload_type);
void red_rename(uint8_t *payload, uint8_t payload_type); /* of what was looked at before */

/* key_frame.c */
bool starts_key_frame(enum codec codec, const uint8_t *payload, size_t size);

/* missing.c: what an encoding lost on its way to us */
void missing_gap(struct plane *plane, struct encoding *encoding, uint64_t first, uint64_t end);
void missing_hurry(struct plane *plane, struct encoding *encoding); /* after each new packet */
bool missing_arrived(struct encoding *encoding, uint64_t sequence); /* whether it had been asked for */
bool missing_waits(const struct encoding *encoding, uint64_t sequence);
void missing_ask(struct plane *plane);

/* fan_out.c */
void fan_out(struct plane *plane); /* the packets of this batch; ends with send_batch */
bool sendable(struct plane *plane, const struct transport *transport, int packets); /* else counts them */
void forward(struct plane *plane, struct consumer *consumer, struct packet *packet, uint64_t out,
             enum sending kind);
/* A packet of no producer: room for it, its RTP header (returns the size), then it is protected and queued. */
uint8_t *forward_room(struct plane *plane);
int write_own_header(struct plane *plane, struct consumer *consumer, uint8_t payload_type, uint16_t sequence,
                     uint32_t timestamp, uint32_t ssrc, uint8_t *out);
bool forward_own(struct plane *plane, struct consumer *consumer, int size, enum sending kind);
void send_padding(struct plane *plane, struct consumer *consumer, int padding);
void send_filler(struct plane *plane, struct consumer *consumer, uint64_t out, uint32_t timestamp);

/* pacer.c: forward now, or when it is its turn */
void offer(struct plane *plane, struct consumer *consumer, struct packet *packet, uint64_t out, enum sending kind);
void pacer_start(struct pacer *pacer);
void pacer_set_rate(struct plane *plane, struct pacer *pacer, int64_t rate);
void pacer_spend(struct plane *plane, struct pacer *pacer, int size);
void pacer_discard(struct plane *plane, struct consumer *consumer, enum drop reason);
void pacer_forget(struct consumer *consumer);
bool pacer_send_next(struct plane *plane, struct pacer *pacer); /* whatever the rate; false: nothing waits */
void pacer_unlist(struct plane *plane, struct pacer *pacer);
void pacer_run(struct plane *plane);

/* probe_out.c: more than there is to send */
void probe_begin(struct plane *plane, struct transport *transport, int cluster, int64_t rate, int packets);
void probe_end(struct plane *plane, struct transport *transport);
void probe_spend(struct probe_out *probe, int size);
void probe_run(struct plane *plane);

/* fec.c: FlexFEC-03. `protection_add` says how many protection packets are to be sent now. */
void protection_set_share(struct protection *protection, int share);
int protection_add(struct protection *protection, const uint8_t *ids, const uint8_t *packet, int size, uint64_t out);
void protection_send(struct plane *plane, struct consumer *consumer, int packets, uint32_t timestamp);

/* transport_wide.c: feedback to publishers */
void wide_arrived(struct plane *plane, struct transport *transport, uint16_t number, int64_t arrival, uint32_t ssrc);
void wide_tell(struct plane *plane);
void wide_forget(struct plane *plane, struct arrivals *arrivals);

/* sent_window.c: feedback from subscribers. `data` is one RTCP packet. */
void sent_start(struct sent_window *window);
void sent_put(struct plane *plane, struct transport *transport, int size);
void sent_join(struct plane *plane, struct transport *transport, const uint8_t *data, size_t length, int64_t time);

/* places.c */
void place_find(struct encoding *encoding, const uint8_t *data, const struct layout *layout, struct place *place);
uint32_t place_grid(int spatial, int temporal); /* the targets of a frame of these layers where no descriptor says it */
bool place_of_vp9(const uint8_t *payload, size_t size, struct place *place); /* false: its descriptor lies */
void place_rename(const struct place *place, const struct naming *naming, uint8_t *payload);

/* layers.c: which packets a consumer is sent */
void layers_start(struct consumer *consumer);
void layers_deal(struct plane *plane, struct consumer *consumer, struct encoding *encoding); /* what is pending */
void layers_want(struct plane *plane, struct consumer *consumer, struct layer wanted);
void layers_await(struct consumer *consumer); /* a key frame */
void layers_forget(struct consumer *consumer, const struct encoding *encoding); /* it begins anew */
void layers_run(struct plane *plane);                                           /* what was held back long enough */

/* targets.c: which layers of an encoding */
void targets_begin(struct selection *selection); /* go on with a key frame */
/* Whether a packet, the newest so far, is sent. */
bool targets_decide(struct plane *plane, struct selection *selection, struct encoding *encoding,
                    const struct packet *packet);
/* What holds for a packet that comes late, or again, and whose number is in this run; NULL: it is before the beginning,
 * not before what was gone on with, or too old. */
const struct chosen *targets_find(const struct selection *selection, const struct run *run, const struct packet *packet);
bool target_sends(const struct chosen *chosen, const struct place *place);
int layer_capped(const struct encoding *encoding, int layer); /* no higher than what flows */

/* repeat.c: what consumers lost on its way to them */
void want_key_frame(struct plane *plane, struct encoding *encoding);
struct packet *find_sent(const struct consumer *consumer, uint64_t out); /* NULL: no history holds it */
void repeat(struct plane *plane, struct consumer *consumer, uint16_t sequence);

/* rtcp.c: from peers, and ours */
void receive_rtcp(struct plane *plane, struct transport *transport, uint8_t *data, size_t size,
                  const struct address *address, int64_t time);
bool send_rtcp(struct plane *plane, struct transport *transport, const uint8_t *data, size_t size);

/* events.c */
void post_event(struct plane *plane, enum event_kind kind, const struct transport *transport,
                const struct address *address, int64_t time, uint64_t subject, const uint8_t *data, size_t size);

void move_producer(struct plane *plane, struct producer *producer, struct transport *transport,
                   const struct stream_spec *spec); /* objects.c; NULL: nobody sends it */

/* tap.c */
void tap(struct plane *plane, const struct packet *packet);
void tap_low(struct plane *plane, const struct packet *packet);
void tap_low_choose(struct producer *producer, int encoding); /* -1: none */
void tap_forget(struct producer *producer, int encoding); /* -1: all */
void wake(int event);

/* Stands before the data of each event in the ring. */
struct event_header {
    uint32_t size; /* of the data that follows */
    uint8_t kind;
    bool has_address;
    struct address address;
    int64_t time;
    uint64_t transport, subject;
};

/* objects.c */
/* Zeroed. Long tables that mostly stay unused come as fresh pages, which take memory as they are used: calloc clears
 * recycled memory, and so takes all of it. Under a sanitizer they are a block of their own, so that what is written
 * beside it is seen. */
void *pages_make(size_t size);
void pages_free(void *pages, size_t size);

void *object_make(struct plane *plane, enum object_kind kind, size_t size); /* by Python; zeroed */
void object_free(struct plane *plane, struct retired *object);              /* by Python */
void retire(struct plane *plane, void *object);
void add_transport(struct plane *plane, struct transport *transport);
void remove_transport(struct plane *plane, struct transport *transport);
void validate_address(struct plane *plane, struct transport *transport, const struct address *address,
                      bool selected);
void lose_address(struct plane *plane, struct transport *transport, const struct address *address);
void add_producer(struct plane *plane, struct producer *producer);
void remove_producer(struct plane *plane, struct producer *producer);
void add_consumer(struct plane *plane, struct consumer *consumer);
void remove_consumer(struct plane *plane, struct consumer *consumer);
void set_encoding(struct plane *plane, struct encoding *encoding, uint32_t ssrc, uint32_t rtx_ssrc);

/* commands.c */
bool commands_push(struct plane *plane, const struct command *command); /* by Python; false when full */
void commands_carry_out(struct plane *plane);

#endif
