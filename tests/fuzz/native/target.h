/* A fuzz target: takes any bytes, and does not crash, leak, or touch what is not its own. */

#ifndef KONSIL_FUZZ_TARGET_H
#define KONSIL_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* A copy with nothing before and behind it, so that a byte too far is noticed; until the next call. */
uint8_t *exactly(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
