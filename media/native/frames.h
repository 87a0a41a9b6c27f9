/* A recording's packets read again: where each one stands in what the tap gave, and pictures put together from them. It
 * is called by the recorder's export and replay, never by the plane's thread; the reference is recorder/journal.py,
 * recorder/export/assembly.py and media/codecs. */

#ifndef KONSIL_FRAMES_H
#define KONSIL_FRAMES_H

#include "plane.h"

#define MAX_FRAME_LENGTH ((size_t)32 << 20) /* media/codecs/packetisation.py */
#define PARAMETER_SETS 3                    /* video, sequence, picture (H.264: the last two) */
#define SPATIAL_LAYERS 8

/* What is kept of a packet; media/native/frames.py names the fields for numpy. */
struct __attribute__((packed)) walked {
    uint64_t offset; /* of the RTP packet, in the file */
    uint64_t arrival;
    uint64_t sequence;
    uint32_t timestamp;
    uint16_t length;
    uint8_t second; /* RTP's second byte: marker and payload type */
};

enum walk { WALK_ENDS, WALK_PACKET, WALK_UNREADABLE, WALK_LIES };

/* frames_walk.c: take the tap record (media/plane.py) at `at`, and go behind it; what lies is not passed. */
enum walk walk_next(const uint8_t *data, size_t size, size_t *at, uint32_t *producer, struct walked *found);

/* Bytes that grow. */
struct bytes {
    uint8_t *data;
    size_t size, room;
};

enum join {
    JOIN_NOTHING, /* padding, or what another payload type repairs */
    JOIN_REFUSED, /* not whole */
    JOIN_WHOLE,
};

struct joiner;

/* A codec's payloads; false: refused. `first`: of this picture, `sure`: nothing before it was lost. */
struct payload_format {
    bool (*take)(struct joiner *joiner, const uint8_t *payload, size_t size, bool first, bool sure);
    bool (*end)(struct joiner *joiner, bool sure);
};

/* Puts the pictures of one track together, in the order of sending. */
struct joiner {
    const struct payload_format *format;
    uint8_t payload_type; /* 0: any */
    bool no_memory;
    struct bytes sets[PARAMETER_SETS]; /* the newest ones */

    /* of the picture at hand */
    struct bytes picture;
    size_t taken;    /* bytes of payloads */
    bool key;        /* a decoder can begin at it */
    unsigned absent; /* parameter sets that it needs before it, as bits */
    struct nal_units {
        bool open; /* a fragmented unit, which begins here: */
        size_t begin;
        bool pictures, keys, begins; /* slices; all of key frames; the first one is the picture's first */
        unsigned present;
        size_t set_at[PARAMETER_SETS], set_size[PARAMETER_SETS];
    } nal;
    struct {
        int count;
        size_t begin, sizes[SPATIAL_LAYERS];
    } layers;
    struct bytes unit; /* of AV1: an OBU element that may go on */
    bool unit_begun, unit_open;
};

extern const struct payload_format format_h264, format_h265, format_vp8, format_vp9, format_av1;

/* frames.c */
void joiner_begin(struct joiner *joiner, enum codec codec, uint8_t payload_type);
void joiner_free(struct joiner *joiner);
void joiner_keep(struct joiner *joiner, const uint8_t *unit, size_t size); /* a parameter set from elsewhere */
/* Put a picture together from the RTP packets at these places of `data`. */
enum join join_picture(struct joiner *joiner, const uint8_t *data, const uint32_t *places, const uint16_t *sizes,
                       size_t count, bool sure, bool refused);
size_t joined_size(const struct joiner *joiner);
void joined_copy(const struct joiner *joiner, uint8_t *out);
void bytes_add(struct joiner *joiner, struct bytes *bytes, const void *data, size_t size);

/* frames_nal.c */
int set_of_h264(const uint8_t *unit, size_t size); /* which parameter set it is, or -1 */
int set_of_h265(const uint8_t *unit, size_t size);

#endif
