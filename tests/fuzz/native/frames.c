/* Pictures put together from the packets of a journal. Each packet stands alone, with nothing before and behind it that may be
 * touched. Input: codec and payload type; then pictures: a byte of flags, packets behind their length, 0xff at the end. */

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "target.h"

#define MOST_PACKETS 64
#define RTP_HEADER 12
#define GAP 8

static _Alignas(8) uint8_t room[MOST_PACKETS * (RTP_HEADER + 255 + GAP) + GAP];

static void check(const struct joiner *joiner, enum join join)
{
    size_t size = joined_size(joiner);
    if (join != JOIN_WHOLE)
        return;
    uint8_t *whole = malloc(size); /* one byte more would be noticed */
    joined_copy(joiner, whole);
    /* a set that was kept comes in no more than it had, and what is put between is less than what there was */
    size_t sets = 0;
    for (int i = 0; i < PARAMETER_SETS; i++)
        sets += 4 + joiner->sets[i].size;
    if (size == 0 || size > sets + 8 * joiner->taken + 64)
        abort();
    free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct joiner joiner;
    joiner_begin(&joiner, (enum codec)((data[0] & 127) % CODECS), data[0] & 128 ? 96 : 0);
    joiner_keep(&joiner, (const uint8_t *)"\x68\xce\x3c\x80", 4);
    size_t at = 1;
    while (at < size) {
        uint8_t how = data[at++];
        uint32_t places[MOST_PACKETS];
        uint16_t sizes[MOST_PACKETS];
        size_t count = 0, end = GAP;
        ASAN_UNPOISON_MEMORY_REGION(room, sizeof room);
        while (at < size && data[at] != 0xff) {
            size_t length = data[at++];
            length = length < size - at ? length : size - at;
            if (count < MOST_PACKETS) {
                size_t header = how & 4 ? 0 : RTP_HEADER;
                memcpy(room + end, "\x80\x60\0\0\0\0\0\0\0\0\0", header);
                memcpy(room + end + header, data + at, length);
                places[count] = (uint32_t)end;
                sizes[count++] = (uint16_t)(header + length);
                end += header + length + GAP;
            }
            at += length;
        }
        at++;
        ASAN_POISON_MEMORY_REGION(room, sizeof room);
        for (size_t i = 0; i < count; i++)
            ASAN_UNPOISON_MEMORY_REGION(room + places[i], sizes[i]);
        check(&joiner, join_picture(&joiner, room, places, sizes, count, how & 1, how & 2));
    }
    joiner_free(&joiner);
    return 0;
}
