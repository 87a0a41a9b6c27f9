/* Pictures from their packets: the RTP headers taken off, what a codec's file makes of the payloads, and of sound a packet
 * as it is. */

#include <stdlib.h>
#include <string.h>

#include "frames.h"

void bytes_add(struct joiner *joiner, struct bytes *bytes, const void *data, size_t size)
{
    if (joiner->no_memory || size == 0)
        return;
    if (size > bytes->room - bytes->size) {
        size_t room = bytes->room * 2 > bytes->size + size ? bytes->room * 2 : bytes->size + size;
        uint8_t *grown = realloc(bytes->data, room);
        if (grown == NULL) {
            joiner->no_memory = true;
            return;
        }
        bytes->data = grown;
        bytes->room = room;
    }
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}

/* Opus is given as it came, if its length can be told (RFC 6716, section 3.1). */
static bool take_opus(struct joiner *joiner, const uint8_t *payload, size_t size, bool first, bool sure)
{
    static const uint16_t silk[] = {480, 960, 1920, 2880}, hybrid[] = {480, 960}, celt[] = {120, 240, 480, 960};
    (void)sure;
    if (!first)
        return false;
    int configuration = payload[0] >> 3;
    if ((payload[0] & 3) == 3) {
        int samples = configuration < 12   ? silk[configuration % 4]
                      : configuration < 16 ? hybrid[configuration % 2]
                                           : celt[configuration % 4];
        samples *= size >= 2 ? payload[1] & 63 : 0;
        if (samples == 0 || samples > 5760) /* 120 ms */
            return false;
    }
    bytes_add(joiner, &joiner->picture, payload, size);
    return true;
}

static bool end_opus(struct joiner *joiner, bool sure)
{
    (void)sure;
    return joiner->key = true;
}

static const struct payload_format format_opus = {take_opus, end_opus};

void joiner_begin(struct joiner *joiner, enum codec codec, uint8_t payload_type)
{
    static const struct payload_format *const formats[CODECS] = {
        [CODEC_OPUS] = &format_opus, [CODEC_H264] = &format_h264, [CODEC_VP8] = &format_vp8,
        [CODEC_VP9] = &format_vp9,   [CODEC_AV1] = &format_av1,   [CODEC_H265] = &format_h265,
    };
    *joiner = (struct joiner){.format = formats[codec], .payload_type = payload_type};
}

void joiner_free(struct joiner *joiner)
{
    for (int i = 0; i < PARAMETER_SETS; i++)
        free(joiner->sets[i].data);
    free(joiner->picture.data);
    free(joiner->unit.data);
    *joiner = (struct joiner){.format = joiner->format};
}

void joiner_keep(struct joiner *joiner, const uint8_t *unit, size_t size)
{
    int set = joiner->format == &format_h264   ? set_of_h264(unit, size)
              : joiner->format == &format_h265 ? set_of_h265(unit, size)
                                               : -1;
    if (set < 0)
        return;
    joiner->sets[set].size = 0;
    bytes_add(joiner, &joiner->sets[set], unit, size);
}

static void begin_picture(struct joiner *joiner)
{
    joiner->picture.size = joiner->unit.size = joiner->taken = 0;
    joiner->key = joiner->unit_begun = joiner->unit_open = false;
    joiner->absent = 0;
    memset(&joiner->nal, 0, sizeof joiner->nal);
    memset(&joiner->layers, 0, sizeof joiner->layers);
}

enum join join_picture(struct joiner *joiner, const uint8_t *data, const uint32_t *places, const uint16_t *sizes,
                       size_t count, bool sure, bool refused)
{
    begin_picture(joiner);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *packet = data + places[i];
        struct layout layout;
        if (!parse_packet(packet, sizes[i], NULL, &layout))
            continue;
        size_t size = (size_t)layout.size - layout.payload - layout.padding;
        if (size == 0 || (joiner->payload_type != 0 && (packet[1] & 127) != joiner->payload_type))
            continue;
        bool first = joiner->taken == 0;
        joiner->taken += size;
        if (refused || !joiner->format->take(joiner, packet + layout.payload, size, first, sure))
            return JOIN_REFUSED;
    }
    if (joiner->taken == 0)
        return JOIN_NOTHING;
    return joiner->format->end(joiner, sure) ? JOIN_WHOLE : JOIN_REFUSED;
}

static const uint8_t start_code[] = {0, 0, 0, 1};

size_t joined_size(const struct joiner *joiner)
{
    size_t size = joiner->picture.size;
    for (int i = 0; i < PARAMETER_SETS; i++)
        if (joiner->absent & 1u << i)
            size += sizeof start_code + joiner->sets[i].size;
    return size;
}

void joined_copy(const struct joiner *joiner, uint8_t *out)
{
    for (int i = 0; i < PARAMETER_SETS; i++)
        if (joiner->absent & 1u << i) {
            memcpy(out, start_code, sizeof start_code);
            memcpy(out + sizeof start_code, joiner->sets[i].data, joiner->sets[i].size);
            out += sizeof start_code + joiner->sets[i].size;
        }
    memcpy(out, joiner->picture.data, joiner->picture.size);
}
