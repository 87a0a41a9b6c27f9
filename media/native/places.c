/* Where a packet's frame stands among the layers of its stream, and by which numbers its stream names it: from the
 * payload descriptors of VP8 (RFC 7741) and VP9 (RFC 9628), and from the dependency descriptor where there is one. */

#include <string.h>

#include "plane.h"

/* The targets of the grid in which a frame of these layers is present: all above and beside it. */
uint32_t place_grid(int spatial, int temporal)
{
    uint32_t row = 0xfu & 0xfu << temporal, targets = 0;
    for (; spatial < 4; spatial++)
        targets |= row << 4 * spatial;
    return targets;
}

static size_t note_picture(struct place *place, const uint8_t *payload, size_t size, size_t at)
{
    if (at >= size)
        return size + 1;
    place->picture_at = (uint16_t)at;
    place->picture_bits = payload[at] & 0x80 ? 15 : 7;
    if (place->picture_bits == 7) {
        place->picture = payload[at];
        return at + 1;
    }
    if (at + 1 >= size)
        return size + 1;
    place->picture = read_16(payload + at) & 0x7fff;
    return at + 2;
}

static void note_tl0(struct place *place, const uint8_t *payload, size_t at)
{
    place->tl0_at = (uint16_t)at;
    place->tl0 = payload[at];
}

/* False when the descriptor is longer than the payload. */
static bool of_vp8(const uint8_t *payload, size_t size, struct place *place)
{
    if (size < 1)
        return false;
    if (!(payload[0] & 0x80))
        return true;
    if (size < 2)
        return false;
    uint8_t extension = payload[1];
    size_t at = 2;
    if (extension & 0x80)
        at = note_picture(place, payload, size, at);
    if (extension & 0x40) {
        if (at >= size)
            return false;
        note_tl0(place, payload, at++);
    }
    if (extension & 0x30) {
        if (at >= size)
            return false;
        if (extension & 0x20) {
            place->layered = true;
            place->temporal = payload[at] >> 6;
            place->synchronises = (payload[at] & 0x20) != 0;
            place->targets = place_grid(0, place->temporal);
        }
        at++;
    }
    return at <= size;
}

/* Pass over the scalability structure of VP9; false when it is longer than the payload. */
static bool pass_structure(const uint8_t *payload, size_t size, size_t at)
{
    if (at >= size)
        return false;
    uint8_t head = payload[at++];
    if (head & 0x10)
        at += 4 * (size_t)((head >> 5) + 1);
    if (head & 0x08) {
        if (at >= size)
            return false;
        for (int pictures = payload[at++]; pictures > 0; pictures--) {
            if (at >= size)
                return false;
            at += 1u + (payload[at] >> 2 & 3);
        }
    }
    return at <= size;
}

bool place_of_vp9(const uint8_t *payload, size_t size, struct place *place)
{
    if (size < 1)
        return false;
    uint8_t first = payload[0];
    size_t at = 1;
    if (first & 0x80)
        at = note_picture(place, payload, size, at);
    if (first & 0x20) {
        if (at >= size)
            return false;
        uint8_t layers = payload[at++];
        int spatial = layers >> 1 & 7, temporal = layers >> 5;
        place->layered = true;
        place->spatial = (uint8_t)(spatial < 3 ? spatial : 3);
        place->temporal = (uint8_t)(temporal < 3 ? temporal : 3);
        place->targets = place_grid(place->spatial, place->temporal);
        place->synchronises = place->opens = (layers & 0x10) != 0;
        if (!(first & 0x10)) {
            if (at >= size)
                return false;
            note_tl0(place, payload, at++);
        }
    }
    if ((first & 0x50) == 0x50) {
        bool more = true;
        for (int number = 0; more; number++) {
            if (at >= size || number == 3)
                return false;
            more = payload[at++] & 1;
        }
    }
    place->ends = (first & 0x04) != 0;
    return first & 0x02 ? pass_structure(payload, size, at) : at <= size;
}

static void of_descriptor(struct encoding *encoding, const uint8_t *data, size_t size, struct place *place)
{
    struct dependency dependency;
    struct dependency_structure brought, *known = encoding->structures;
    if (!dependency_parse(data, size, &known[0], &known[1], &brought, &dependency))
        return;
    if (dependency.brings && memcmp(&brought, &known[0], sizeof brought) != 0) {
        known[1] = known[0];
        known[0] = brought;
    }
    if (dependency.says_active)
        encoding->active = dependency.active;
    place->numbered = true;
    place->frame_number = dependency.frame_number;
    place->layered = place->described = dependency.known;
    place->spatial = place->temporal = 0;
    place->targets = ALL_TARGETS;
    place->synchronises = place->opens = place->ends = false;
    if (dependency.known) {
        place->spatial = dependency.frame.spatial;
        place->temporal = dependency.frame.temporal < 3 ? dependency.frame.temporal : 3;
        place->targets = dependency.frame.present;
        place->switches = dependency.frame.switches;
        place->ends = dependency.ends;
    }
}

void place_find(struct encoding *encoding, const uint8_t *data, const struct layout *layout, struct place *place)
{
    *place = (struct place){.targets = ALL_TARGETS};
    const uint8_t *payload = data + layout->payload;
    size_t size = (size_t)(layout->size - layout->payload - layout->padding);
    enum codec codec = encoding->producer->codec;
    if ((codec == CODEC_VP8 && !of_vp8(payload, size, place)) || (codec == CODEC_VP9 && !place_of_vp9(payload, size, place)))
        *place = (struct place){.targets = ALL_TARGETS}; /* it lies: so it says nothing */
    if (layout->descriptor != 0)
        of_descriptor(encoding, data + layout->descriptor, layout->descriptor_size, place);
}

void place_rename(const struct place *place, const struct naming *naming, uint8_t *payload)
{
    if (place->picture_bits == 15)
        write_16(payload + place->picture_at, (uint16_t)((place->picture + naming->picture) | 0x8000));
    else if (place->picture_bits == 7)
        payload[place->picture_at] = (uint8_t)((place->picture + naming->picture) & 0x7f);
    if (place->tl0_at != 0)
        payload[place->tl0_at] = (uint8_t)(place->tl0 + naming->tl0);
}
