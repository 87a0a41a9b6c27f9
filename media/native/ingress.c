/* A decrypted packet gets its 64-bit number, a place in the history and a word in the books. */

#include <string.h>

#include "plane.h"

#define RTX_HEADER 2      /* RFC 4588, section 4: the original sequence number */
#define LEVEL_WINDOW (50 * MILLISECOND)
#define LEAST_PAUSE (100 * MILLISECOND) /* a stream that goes on elsewhere does so by so much at least, and at most */
#define MOST_PAUSE (600 * SECOND)
#define RESTART_JUMP 1000 /* a gap beyond this is a new beginning, not a loss to be repaired */

/* Undo RFC 4588 in place: the header moves up over the original sequence number. */
static uint8_t *decapsulate(struct plane *plane, const struct encoding *encoding, uint8_t *data,
                            struct layout *layout)
{
    int payload = layout->size - layout->payload - layout->padding;
    if (payload < RTX_HEADER) {
        drop(plane, payload == 0 && layout->padding > 0 ? DROP_PADDING : DROP_MALFORMED);
        return NULL;
    }
    uint16_t original = read_16(data + layout->payload);
    memmove(data + RTX_HEADER, data, layout->payload);
    data += RTX_HEADER;
    layout->size = (uint16_t)(layout->size - RTX_HEADER - layout->padding);
    layout->padding = 0;
    data[0] &= (uint8_t)~0x20;
    data[1] = (uint8_t)((data[1] & 0x80) | encoding->producer->payload_type);
    write_16(data + 2, original);
    write_32(data + 8, encoding->ssrc);
    return data;
}

/* Extend a sequence number by the highest so far. False when it would be before the beginning. */
static bool extend(struct encoding *encoding, uint16_t sequence, uint64_t *extended)
{
    uint64_t highest = counted(&encoding->highest);
    int64_t number = encoding->started ? (int64_t)highest + (int16_t)(sequence - (uint16_t)highest) : sequence;
    *extended = (uint64_t)number;
    return number >= 0;
}

/* RFC 3550, A.8, in timestamp units times 16. */
static void measure_jitter(struct encoding *encoding, uint32_t timestamp, int64_t arrival)
{
    int64_t units = arrival / SECOND * encoding->producer->clock_rate + arrival % SECOND * encoding->producer->clock_rate / SECOND;
    uint32_t transit = (uint32_t)units - timestamp;
    if (encoding->seen_transit) {
        int32_t difference = (int32_t)(transit - encoding->relative_transit);
        uint32_t distance = difference < 0 ? -(uint32_t)difference : (uint32_t)difference;
        encoding->jitter_16 += distance - ((encoding->jitter_16 + 8) >> 4);
        note(&encoding->jitter, encoding->jitter_16 >> 4);
    }
    encoding->relative_transit = transit;
    encoding->seen_transit = true;
}

/* Enter the number into the books. False when the packet is of no use. */
static bool book(struct plane *plane, struct encoding *encoding, uint64_t sequence, bool rtx)
{
    uint64_t highest = counted(&encoding->highest);
    if (!encoding->started) {
        encoding->started = true;
        note(&encoding->first, sequence);
        note(&encoding->highest, sequence);
        return true;
    }
    if (sequence <= highest) {
        if (highest - sequence > encoding->history.mask) {
            drop(plane, DROP_TOO_OLD);
            return false;
        }
        if (history_received(&encoding->history, sequence)) {
            count_up(&encoding->duplicates, 1);
            drop(plane, DROP_DUPLICATE);
            return false;
        }
        if (missing_arrived(encoding, sequence) || rtx)
            count_up(&encoding->recovered, 1);
        if (sequence < counted(&encoding->first))
            note(&encoding->first, sequence);
        return true;
    }
    note(&encoding->highest, sequence);
    history_advance(&encoding->history, highest + 1, sequence);
    if (sequence - highest > RESTART_JUMP)
        encoding->missing_count = 0;
    else if (sequence - highest > 1)
        missing_gap(plane, encoding, highest + 1, sequence);
    missing_hurry(plane, encoding);
    return true;
}

/* Tell Python, once a frame, that a key frame began. */
static void announce_key_frame(struct plane *plane, struct encoding *encoding, const struct packet *packet)
{
    if (encoding->seen_key_frame && (int32_t)(packet->timestamp - encoding->key_timestamp) <= 0)
        return;
    encoding->seen_key_frame = true;
    encoding->key_timestamp = packet->timestamp;
    count_up(&encoding->key_frames, 1);
    uint8_t data[5];
    write_32(data, packet->timestamp + encoding->timestamp_offset);
    data[4] = encoding->index;
    post_event(plane, EVENT_KEY_FRAME, encoding->producer->transport, NULL, packet->arrival, encoding->producer->id, data,
               sizeof data);
}

/* The first packet of a stream that comes from elsewhere now: its timestamps go on by the time that has passed. */
static void continue_line(struct encoding *encoding, uint32_t timestamp, int64_t arrival)
{
    const struct line *line = &encoding->producer->line;
    int64_t pause = arrival - line->arrival;
    pause = pause < LEAST_PAUSE ? LEAST_PAUSE : pause > MOST_PAUSE ? MOST_PAUSE : pause;
    /* in ms: beyond 2^63 ns times the clock rate there would be no room */
    uint32_t ticks = (uint32_t)(pause / MILLISECOND * encoding->producer->clock_rate / 1000);
    encoding->timestamp_offset = line->timestamp + ticks - timestamp;
    encoding->offset_known = true;
    encoding->continues = false;
    note(&encoding->told_offset, (uint64_t)encoding->timestamp_offset + 1);
}

/* When the frame was captured; by how much the capturer's clock is to be corrected is settled once, for all. */
static void note_capture_time(struct encoding *encoding, struct packet *packet)
{
    const struct producer *producer = encoding->producer;
    if (packet->layout.capture_time == 0)
        return;
    const uint8_t *value = packet->data + packet->layout.capture_time;
    packet->capture_offset = packet->layout.capture_time_size == 16 ? (int64_t)read_64(value + 8) : 0;
    if (producer->capture_offset_set) {
        packet->layout.capture_time_size = 16;
        packet->capture_offset = (int64_t)((uint64_t)packet->capture_offset + (uint64_t)producer->capture_offset);
    }
    if (encoding->offset_known)
        encoding->producer->capture = (struct capture){.known = true,
                                                       .with_offset = packet->layout.capture_time_size == 16,
                                                       .timestamp = packet->timestamp + encoding->timestamp_offset,
                                                       .time = read_64(value),
                                                       .offset = packet->capture_offset};
    note(&encoding->capture_timestamp, packet->timestamp);
    note(&encoding->capture_time, read_64(value));
}

/* RFC 6464: the loudest of this window of time and the one before. */
static void note_audio_level(struct producer *producer, const struct packet *packet)
{
    if (packet->layout.audio_level == 0)
        return;
    uint8_t level = packet->data[packet->layout.audio_level] & 127;
    int64_t elapsed = packet->arrival - producer->level_since;
    if (elapsed >= LEVEL_WINDOW || elapsed < 0) {
        producer->level_before = elapsed < 2 * LEVEL_WINDOW ? producer->level_now : 127;
        producer->level_now = 127;
        producer->level_since = packet->arrival;
    }
    if (level < producer->level_now)
        producer->level_now = level;
    note(&producer->audio_level, producer->level_now < producer->level_before ? producer->level_now : producer->level_before);
    note(&producer->level_arrival, (uint64_t)packet->arrival);
}

/* Hold the packet, for repeats; return its place. */
static struct packet *hold(struct plane *plane, struct encoding *encoding, const uint8_t *data,
                           const struct layout *layout, uint64_t sequence, int64_t arrival)
{
    if (encoding->pending_count == RECEIVE_BATCH)
        fan_out(plane);
    for (const struct packet *oldest; (oldest = history_in_the_way(&encoding->history, layout->size, arrival)) != NULL;
         history_evict(&encoding->history))
        if (oldest->pending)
            fan_out(plane);
    struct packet *packet = history_put(&encoding->history, sequence, layout->size);
    packet->encoding = encoding;
    memcpy(packet->data, data, layout->size);
    packet->layout = *layout;
    packet->arrival = arrival;
    packet->timestamp = read_32(data + 4);
    packet->key_frame = starts_key_frame(encoding->producer->codec, data + layout->payload,
                                         (size_t)(layout->size - layout->payload - layout->padding));
    place_find(encoding, data, layout, &packet->place);
    note_capture_time(encoding, packet);
    packet->pending = true;
    if (encoding->pending_count == 0) {
        /* first come, first served: what is left of the old encoding's picture goes before the new one's */
        encoding->next_pending = NULL;
        *(plane->pending == NULL ? &plane->pending : &plane->last_pending->next_pending) = encoding;
        plane->last_pending = encoding;
    }
    encoding->pending[encoding->pending_count++] = packet;
    return packet;
}

/* Remember which layers flow: what was not seen for a second or two does not. */
static void note_layer(struct encoding *encoding, const struct packet *packet)
{
    int layer = 4 * packet->place.spatial + packet->place.temporal;
    int redundancy = packet->layout.newest != 0 ? packet->layout.newest - packet->layout.payload : 0;
    count_up(&encoding->layer_bytes[layer], (uint64_t)(packet->layout.size - redundancy));
    if (redundancy > 0)
        count_up(&encoding->layer_bytes[1], (uint64_t)redundancy);
    bool turn = packet->arrival - encoding->layers_since >= SECOND;
    if (!turn && encoding->layers_seen >> layer & 1)
        return;
    if (turn) {
        encoding->layers_since = packet->arrival;
        encoding->layers_before = encoding->layers_seen;
        encoding->layers_seen = 0;
    }
    encoding->layers_seen |= (uint16_t)(1u << layer);
    encoding->top_spatial = encoding->top_temporal = 0;
    for (uint8_t i = 0; i < LAYERS; i++) {
        if (!((encoding->layers_seen | encoding->layers_before) >> i & 1))
            continue;
        encoding->top_spatial = i >> 2;
        if ((i & 3) > encoding->top_temporal)
            encoding->top_temporal = i & 3;
    }
}

static void note_frame(struct encoding *encoding, const struct packet *packet)
{
    note_layer(encoding, packet);
    uint64_t frames = counted(&encoding->frames);
    if (frames > 0 && (int32_t)(packet->timestamp - encoding->newest) <= 0)
        return;
    encoding->newest = packet->timestamp;
    note(&encoding->recent_timestamps[frames % RECENT_FRAMES], packet->timestamp);
    note(&encoding->frames, frames + 1);
}

/* Find the newest block of redundant sound. False when the packet is of no use. */
static bool open_redundancy(struct plane *plane, const struct producer *producer, const uint8_t *data,
                            struct layout *layout)
{
    int newest = red_newest(data + layout->payload, (size_t)(layout->size - layout->payload - layout->padding),
                            producer->payload_type);
    if (newest < 0) {
        drop(plane, newest == RED_FOREIGN ? DROP_UNKNOWN_PAYLOAD_TYPE : DROP_MALFORMED);
        return false;
    }
    layout->newest = (uint16_t)(layout->payload + newest);
    return true;
}

void ingress(struct plane *plane, struct encoding *encoding, uint8_t *data, size_t size, int64_t arrival, bool rtx)
{
    struct layout layout;
    count_up(&plane->packets_in, 1);
    if (!parse_layout(data, size, encoding->producer->extension_ids, &layout)) {
        drop(plane, DROP_MALFORMED);
        return;
    }
    struct transport *transport = encoding->producer->transport;
    if (layout.wide != 0 && transport != NULL)
        wide_arrived(plane, transport, read_16(data + layout.wide), arrival, read_32(data + 8));
    const struct producer *producer = encoding->producer;
    uint8_t payload_type = data[1] & 127;
    bool redundant = !rtx && producer->red_payload_type != 0 && payload_type == producer->red_payload_type;
    if (!redundant && payload_type != (rtx ? producer->rtx_payload_type : producer->payload_type)) {
        drop(plane, DROP_UNKNOWN_PAYLOAD_TYPE);
        return;
    }
    if (redundant && !open_redundancy(plane, producer, data, &layout))
        return;
    if (rtx && (data = decapsulate(plane, encoding, data, &layout)) == NULL)
        return;

    uint64_t sequence;
    if (!extend(encoding, read_16(data + 2), &sequence)) {
        drop(plane, DROP_TOO_OLD);
        return;
    }
    if (!book(plane, encoding, sequence, rtx))
        return;
    if (encoding->continues)
        continue_line(encoding, read_32(data + 4), arrival);
    struct packet *packet = hold(plane, encoding, data, &layout, sequence, arrival);

    note_frame(encoding, packet);
    note_audio_level(encoding->producer, packet);
    count_up(&encoding->packets, 1);
    count_up(&encoding->bytes, layout.size);
    note(&encoding->last_arrival, (uint64_t)arrival);
    if (sequence == counted(&encoding->highest))
        note(&encoding->last_timestamp, packet->timestamp);
    if (!rtx)
        measure_jitter(encoding, packet->timestamp, arrival);
    if (packet->key_frame)
        announce_key_frame(plane, encoding, packet);
    if (encoding->producer->tapped)
        tap(plane, packet);
    if (encoding->producer->low_tap.on)
        tap_low(plane, packet);
}

uint64_t encoding_lost(struct encoding *encoding)
{
    uint64_t packets = counted(&encoding->packets);
    if (packets == 0)
        return 0;
    uint64_t expected = counted(&encoding->highest) - counted(&encoding->first) + 1;
    return expected > packets ? expected - packets : 0; /* the counters are not of one instant */
}
