/* A fuzz target: takes any bytes, and does not crash, leak, or touch what is not its own. */

#ifndef KONSIL_FUZZ_TARGET_H
#define KONSIL_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
