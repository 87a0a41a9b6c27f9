/* Dependency descriptors, one after the other, each read by the structures that came before (mediasoup #1868). */

#include <stdlib.h>
#include <string.h>

#include "dependency.h"
#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dependency_structure newest, before, brought;
    memset(&newest, 0, sizeof newest);
    memset(&before, 0, sizeof before);
    while (size > 0) {
        size_t length = data[0];
        data++, size--;
        length = length < size ? length : size;
        struct dependency dependency;
        if (dependency_parse(exactly(data, length), length, &newest, &before, &brought, &dependency)) {
            if (dependency.brings) {
                if (brought.targets == 0 || brought.targets > MAX_DECODE_TARGETS || brought.templates > MAX_TEMPLATES)
                    abort();
                before = newest;
                newest = brought;
            }
            if (dependency.known && (dependency.frame.spatial > 3 || dependency.frame.temporal > 7))
                abort();
        }
        data += length;
        size -= length;
    }
    return 0;
}
