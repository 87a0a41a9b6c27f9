/* RTP headers and header extensions: whatever a packet claims of itself, the parts lie within it. */

#include <stdlib.h>

#include "plane.h"
#include "target.h"

static void within(size_t at, size_t length, size_t size)
{
    if (at != 0 && at + length > size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t ids[EXTENSIONS] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    struct layout layout;
    if (parse_layout(exactly(data, size), size, ids, &layout)) {
        if (layout.size != size || layout.payload > size || (size_t)layout.payload + layout.padding > size)
            abort();
        within(layout.capture_time, layout.capture_time_size, size);
        within(layout.audio_level, 1, size);
        within(layout.wide, 2, size);
        within(layout.orientation, 1, size);
        within(layout.descriptor, layout.descriptor_size, size);
    }
    return 0;
}
