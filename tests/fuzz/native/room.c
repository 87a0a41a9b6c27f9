/* What all targets share: the room in which an input lies, and how the sanitizers are set. */

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

#define BEFORE 16
#define ROOM 16384

/* Freed memory is kept from being used again for a while, by default 256 MiB of it: what is freed at each of some
 * million executions then never comes out of the cache again, and each of them pays for fresh pages. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=2:allocator_release_to_os_interval_ms=-1";
}

uint8_t *exactly(const uint8_t *data, size_t size)
{
    static _Alignas(16) uint8_t room[BEFORE + ROOM];
    if (size > ROOM)
        abort();
    ASAN_UNPOISON_MEMORY_REGION(room, sizeof room);
    memcpy(room + BEFORE, data, size);
    ASAN_POISON_MEMORY_REGION(room, BEFORE);
    ASAN_POISON_MEMORY_REGION(room + BEFORE + size, ROOM - size);
    return room + BEFORE;
}
