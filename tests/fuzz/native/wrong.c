/* Reads a byte behind its input: no target, but the proof that one is noticed. */

#include "target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    volatile uint8_t behind = exactly(data, size)[size];
    (void)behind;
    return 0;
}
