/* The plane's nouns: packets, the producers and consumers of a transport. All belong to the plane's thread; Python
 * makes them, hands them over, and reads counters. */

#ifndef KONSIL_OBJECTS_H
#define KONSIL_OBJECTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "addresses.h"
#include "congestion.h"
#include "histogram.h"
#include "dependency.h"
#include "history.h"
#include "numbering.h"
#include "ring.h"

#define MAX_DATAGRAM 1500
#define RECEIVE_BATCH 64
#define MAX_ADDRESSES 8  /* a transport */
#define MAX_STREAMS 512  /* SSRCs of encodings, RTX too, a transport */
#define MAX_ENCODINGS 4  /* a producer; simulcast */
#define LAYERS 16        /* 4 spatial times 4 temporal */
#define CHANGES 64       /* of what a consumer is sent of an encoding, that are remembered: not one a picture */
#define RECENT_FRAMES 16 /* whose timestamps an encoding remembers */
#define MAX_ADMITTED 256 /* SSRCs that may make a stream in a transport's libsrtp session */
#define MAX_MISSING 1024 /* packets that are asked for again, an encoding */
#define REPEATS_REMEMBERED 1024 /* numbers whose newest repeat a consumer remembers */
#define MAX_FIXED_EXTENSIONS 24

#define MILLISECOND 1000000LL
#define SECOND 1000000000LL

/* media.plane.Codec */
enum codec { CODEC_OPUS, CODEC_H264, CODEC_VP8, CODEC_VP9, CODEC_AV1, CODEC_H265, CODECS };

/* media.plane.Extension */
enum extension {
    EXTENSION_MID,
    EXTENSION_ABS_SEND_TIME,
    EXTENSION_ABS_CAPTURE_TIME,
    EXTENSION_AUDIO_LEVEL,
    EXTENSION_TRANSPORT_WIDE,
    EXTENSION_PLAYOUT_DELAY,
    EXTENSION_RID,
    EXTENSION_REPAIRED_RID,
    EXTENSION_DEPENDENCY_DESCRIPTOR,
    EXTENSION_VIDEO_ORIENTATION,
    EXTENSIONS
};

/* What passes through the graveyard; each begins with struct retired. */
enum object_kind { OBJECT_TRANSPORT, OBJECT_PRODUCER, OBJECT_CONSUMER, OBJECT_BLOCK, OBJECT_STREAM, OBJECT_KINDS };

/* Bytes that a command carries; for an injected burst: u16 size and packet, one after the other. */
struct block {
    struct retired retired;
    size_t size;
    uint8_t data[];
};

/* Where the parts of an RTP packet are: offsets into it. */
struct layout {
    uint16_t descriptor, orientation; /* values of header extensions, 0: not there */
    uint16_t size, payload, padding;    /* `padding` bytes at the end are none of the payload */
    uint16_t capture_time, audio_level, wide; /* values of header extensions, 0: not there */
    uint8_t capture_time_size, descriptor_size;
    uint16_t newest; /* where the newest block of redundant sound begins, 0: it is none */
};

#define ALL_TARGETS UINT32_MAX

/* Where a packet's frame stands among the layers of its stream, and by which numbers its stream names it. `targets` are
 * bits: which decode targets its frame is present in. Without a dependency descriptor decode target 4 * spatial +
 * temporal is everything up to these layers (the grid). */
struct place {
    uint32_t targets, switches; /* which may begin here, where the descriptor says it */
    uint16_t picture, frame_number;
    uint16_t picture_at, tl0_at; /* in the payload; 0: none */
    uint8_t picture_bits, tl0;   /* 7, 15; 0: it has no picture identifier */
    uint8_t spatial, temporal;
    bool layered : 1, described : 1, numbered : 1;
    bool synchronises : 1; /* VP8's Y, VP9's U: it needs no other frame of its temporal layer */
    bool opens : 1;        /* VP9's U: what follows needs none of the temporal layers above it */
    bool ends : 1;         /* the last packet of a frame */
};

/* One decrypted RTP packet of an encoding, as its history holds it. Its place is another's after the encoding's next
 * packets: what waits longer than this batch is kept by number (history_find). */
struct packet {
    struct encoding *encoding;
    uint64_t sequence; /* extended to 64 bits */
    int64_t arrival;   /* ns, CLOCK_REALTIME */
    uint32_t timestamp;
    uint32_t record; /* bytes of the history that it takes */
    struct layout layout;
    struct place place;
    int64_t capture_offset; /* of abs-capture-time, where the layout has its long form */
    bool pending;   /* received in this batch, not yet fanned out */
    bool key_frame; /* a key frame starts in it */
    uint8_t data[];
};

/* A number that was skipped: asked for again until it comes or is given up. Times: monotonic ns. */
struct missing {
    uint64_t sequence;
    int64_t noticed, due;
    int asked;
};

/* One of the streams in which a producer sends the same pictures; numbers, history and losses are its own. */
struct encoding {
    struct producer *producer;
    uint8_t index;
    uint32_t ssrc, rtx_ssrc; /* 0: not known yet, or none */
    uint8_t life; /* its sender has begun it anew so often */
    bool offset_known;
    bool continues;            /* its first packet settles the offset by the producer's line */
    uint32_t timestamp_offset; /* added: then its timestamps are canonical */

    struct history history;
    struct packet *pending[RECEIVE_BATCH];
    int pending_count;
    struct encoding *next_pending;

    struct dependency_structure structures[2]; /* the newest and the one before */
    uint32_t active;                           /* decode targets that are being sent */
    bool dealt_any;
    uint32_t newest, dealt;                    /* timestamps: that came, that consumers were dealt */
    uint16_t layers_seen, layers_before;       /* in this second, in the one before; bits of the grid */
    int64_t layers_since;
    uint8_t top_spatial, top_temporal;

    bool started, seen_transit, seen_key_frame;
    uint32_t relative_transit, key_timestamp; /* RFC 3550 A.8's; of the newest key frame */
    uint32_t jitter_16;                       /* RFC 3550 A.8: jitter * 16 */
    int64_t key_frame_wanted;                 /* monotonic ns of the newest such event */
    struct missing missing[MAX_MISSING];      /* ascending */
    int missing_count;

    counter packets, bytes, first, highest, recovered, duplicates, jitter, nacks_sent, key_frames;
    counter last_timestamp, last_arrival;
    counter layer_bytes[LAYERS];
    counter recent_timestamps[RECENT_FRAMES], frames; /* frame n is at n % RECENT_FRAMES */
    counter capture_timestamp, capture_time;
    counter told_offset; /* the offset and 1; 0: it is not settled */
};

/* tap.c: numbers of an encoding that are copied, from the first to the end, or for good while it is open. */
struct tapped {
    uint64_t first, end, shift;
    bool open;
};

struct tapping {
    bool chosen, doubled;
    bool moved;     /* of one encoding: its numbers are to go on after the highest */
    uint8_t encoding;
    uint32_t newest, doubled_timestamp;
    uint64_t highest;
    uint64_t first, shift; /* of one encoding */
    struct tapped tapped[MAX_ENCODINGS];
};

/* tap.c: one of several encodings that is copied as well, beside the best, with numbers that do not run backwards. */
struct low_tap {
    bool on;
    bool anew; /* its numbers are to go on after the highest */
    uint8_t encoding;
    uint64_t highest, first, shift;
};

/* Where a producer's canonical timeline stood when its streams ended: of its newest packet. */
struct line {
    bool known;
    uint32_t timestamp;
    int64_t arrival;
};

/* What a producer's streams are like that come from elsewhere now. */
struct stream_spec {
    uint8_t payload_type, rtx_payload_type, red_payload_type;
    bool nack;
    uint8_t extension_ids[EXTENSIONS];
    uint32_t ssrcs[MAX_ENCODINGS], rtx_ssrcs[MAX_ENCODINGS];
};

/* When a frame was captured: a canonical RTP timestamp, NTP time, and by how much the clock is to be corrected. */
struct capture {
    bool known, with_offset;
    uint32_t timestamp;
    uint64_t time;
    int64_t offset;
};

struct producer {
    struct retired retired;
    uint64_t id;
    struct transport *transport; /* NULL: injected */
    struct producer *next;       /* of the transport; or of the injected ones */
    struct consumer *consumers;
    enum codec codec;
    uint32_t clock_rate;
    uint8_t payload_type, rtx_payload_type, red_payload_type;
    bool nack, tapped;
    uint8_t extension_ids[EXTENSIONS];
    bool capture_offset_set;
    int64_t capture_offset; /* Q32.32 seconds, added to abs-capture-time's */
    struct capture capture; /* the newest */
    struct line line;
    struct tapping tapping;
    struct low_tap low_tap;

    struct encoding encodings[MAX_ENCODINGS]; /* lowest quality first */
    int encoding_count;

    counter transit[TRANSIT_BUCKETS];
    counter audio_level, level_arrival;
    int64_t level_since;
    uint8_t level_now, level_before; /* the loudest in this window, in the one before */
};

/* What a consumer is sent, or is to be sent at most. */
struct layer {
    uint8_t encoding, spatial, temporal;
};

enum consumer_state { CONSUMER_PAUSED, CONSUMER_AWAITING, CONSUMER_SENDING };

/* targets.c: which target is sent from a picture on. `first` is the number of its first packet that was dealt,
 * `timestamp` its canonical one. */
struct chosen {
    uint64_t first;
    uint32_t stint, timestamp;
    uint8_t target, layer;
};

/* layers.c, targets.c: what a consumer is sent, and what it is to be sent. Times: monotonic ns. */
struct selection {
    struct layer wanted;
    bool chosen;            /* an encoding is or was being sent: the next two */
    uint8_t encoding, life;
    bool sent;
    uint32_t newest;        /* canonical timestamp of what was sent */
    int64_t left[MAX_ENCODINGS]; /* the newest number of each encoding when it was left; -1: none */
    bool holding;           /* pictures, until then */
    int64_t hold_until, patience;
    int64_t wanted_at;      /* 0: what is wanted is being sent */
    int64_t asked_at;       /* for the key frame of the encoding that is wanted */

    uint8_t target, target_layer; /* of the encoding; the target's layer is spatial times 4 plus temporal */
    uint32_t covered;
    bool picture_known, frame_sent;    /* the picture that is being dealt; whether its frame is sent */
    bool begins_picture, begins_frame; /* whether the packet that was decided of last does */
    uint32_t picture;                  /* canonical timestamp */
    uint8_t frame_spatial;
    struct chosen remembered[CHANGES]; /* the newest is at (changes - 1) % CHANGES */
    uint64_t changes;

    bool has_picture, has_tl0, has_frame_number;
    uint16_t last_picture, last_frame_number;
    uint8_t last_tl0;
    struct numbering numbering;
};

/* When a number was repeated last: ms, 0 never. */
struct repeated {
    uint32_t out, at;
};

struct consumer {
    struct retired retired;
    uint64_t id;
    struct producer *producer;
    struct transport *transport;
    struct consumer *next_of_producer, *next_of_transport;
    uint32_t ssrc, rtx_ssrc;
    uint8_t payload_type, rtx_payload_type, red_payload_type; /* the last 0: it is sent newest blocks alone */
    uint8_t extension_ids[EXTENSIONS];
    uint8_t fixed_extensions[MAX_FIXED_EXTENSIONS]; /* MID and playout delay, ready to send */
    int fixed_size;

    enum consumer_state state;
    uint16_t rtx_sequence;
    struct capture announced; /* capture time for the first packets of what is sent, from this number on; 0: none */
    uint64_t announced_from;
    uint64_t highest_sent; /* numbers that wait in the pacer are given, but not sent */
    bool key_frame_seen;   /* by the pacer: the newest key frame's timestamp */
    uint32_t key_frame_timestamp;
    uint32_t fec_ssrc;
    uint8_t fec_payload_type;
    uint16_t fec_sequence;
    struct protection *protection; /* NULL: it has no stream for it */
    int64_t repeats_left_at;
    int repeats_left; /* a bucket of tokens */

    counter packets, octets, retransmitted, last_timestamp, last_sent;
    counter layer_sent; /* encoding, spatial, temporal, 8 bits each, plus 1; 0: nothing yet */

    /* the long tables last: what of them is not used takes no memory */
    struct selection selection;
    struct repeated repeated[REPEATS_REMEMBERED]; /* by number sent */
};

struct transport {
    struct retired retired;
    uint64_t id;
    struct transport *next;
    struct producer *producers;
    struct consumer *consumers;
    void *receive_session, *send_session; /* srtp_t; NULL before DTLS has finished */

    struct address addresses[MAX_ADDRESSES]; /* oldest first */
    int address_count;
    struct address selected;
    struct sockaddr_storage name; /* of the selected address */
    socklen_t name_size;          /* 0: none selected */
    struct stream *tcp;           /* where the selected address is the end of a stream; else NULL */
    uint8_t wide_ids[EXTENSIONS]; /* only TRANSPORT_WIDE: as its producers negotiated it */
    uint16_t wide_sequence;       /* of the next packet that it is sent */
    struct arrivals *arrivals;    /* these three are there where they are needed */
    struct sent_window *sent;
    struct pacer *pacer;
    struct probe_out probe;
    bool parts[PARTS]; /* Python's thread alone: made, perhaps not yet attached */
    counter packets_out, bytes_out, padding_packets, padding_bytes, fec_packets, fec_bytes;
    counter queued_packets, queued_bytes, paced, feedback_in, feedback_out, feedback_ignored;
    int64_t round_trip; /* ns, 0: not known */

    int stream_count, admitted_count;
    uint32_t stream_ssrcs[MAX_STREAMS];
    struct encoding *stream_encodings[MAX_STREAMS];
    uint32_t admitted[MAX_ADMITTED];           /* authenticated SSRCs that no producer has */
    int64_t admitted_reported[MAX_ADMITTED];   /* monotonic ns of its UNKNOWN_SSRC event */
};

#endif
