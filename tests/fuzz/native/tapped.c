/* Tap records walked through: each packet found lies within the input, behind the one before it. */

#include <stdlib.h>

#include "frames.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 8192)
        return 0;
    const uint8_t *records = exactly(data, size);
    size_t at = 0, before = 0;
    uint32_t producer;
    struct walked found;
    enum walk walk;
    while ((walk = walk_next(records, size, &at, &producer, &found)) != WALK_ENDS && walk != WALK_LIES) {
        if (at > size || at < before + 24)
            abort();
        if (walk == WALK_PACKET && (found.offset != before + 24 || found.offset + found.length != at))
            abort();
        before = at;
    }
    if (walk == WALK_ENDS && at != size)
        abort();
    return 0;
}
