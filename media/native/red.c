/* Redundant sound (RFC 2198): headers of what was sent before once more, the header of what is new, then the blocks. */

#include "plane.h"

#define MAX_BLOCKS 16 /* browsers send the one before, or at most nine */
#define FOLLOWS 0x80
#define HEADER 4

int red_newest(const uint8_t *payload, size_t size, uint8_t payload_type)
{
    size_t at = 0, before = 0;
    bool foreign = false;
    for (int blocks = 0; at < size && blocks < MAX_BLOCKS; blocks++) {
        foreign |= (payload[at] & 127) != payload_type;
        if (!(payload[at] & FOLLOWS)) {
            at += 1 + before;
            if (at >= size)
                return RED_MALFORMED;
            return foreign ? RED_FOREIGN : (int)at;
        }
        if (size - at < HEADER)
            return RED_MALFORMED;
        before += (size_t)(payload[at + 2] & 3) << 8 | payload[at + 3];
        at += HEADER;
    }
    return RED_MALFORMED;
}

void red_rename(uint8_t *payload, uint8_t payload_type)
{
    for (; *payload & FOLLOWS; payload += HEADER)
        *payload = FOLLOWS | payload_type;
    *payload = payload_type;
}
