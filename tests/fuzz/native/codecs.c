/* What the plane peeks at in payloads: the beginning of a key frame, layers and names of a picture, redundant sound. */

#include <string.h>

#include "plane.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 + MAX_DATAGRAM)
        return 0;
    enum codec codec = (enum codec)(data[0] % CODECS);
    size_t length = size - 1;
    uint8_t *payload = exactly(data + 1, length);
    starts_key_frame(codec, payload, length);
    if (codec == CODEC_OPUS) {
        int newest = red_newest(payload, length, data[0] & 127);
        if (newest > 0) {
            red_rename(payload, 100);
            if ((size_t)newest >= length || red_newest(payload, length, 100) != newest)
                abort();
        }
    }

    static struct producer producer;
    memset(&producer, 0, sizeof producer);
    producer.codec = codec;
    struct encoding *encoding = &producer.encodings[0];
    encoding->producer = &producer;
    struct layout layout = {.size = (uint16_t)length};
    struct place place = {0};
    place_find(encoding, payload, &layout, &place);
    struct naming naming = {0};
    memcpy(&naming, data, size < sizeof naming ? size : sizeof naming);
    place_rename(&place, &naming, payload);
    return 0;
}
