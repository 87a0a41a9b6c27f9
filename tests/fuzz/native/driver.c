/* Runs a target where libFuzzer is not at hand: each seed as it is, then changes of seeds, by a seeded generator.
 * usage: TARGET EXECUTIONS SEED [FILE ...] */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"

#define MOST_SEEDS 4096
#define MOST_BYTES 8192

static uint64_t state;

static uint64_t draw(void)
{
    /* xorshift64* */
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ULL;
}

static uint8_t *seeds[MOST_SEEDS];
static size_t sizes[MOST_SEEDS];
static int count;

static void read_seed(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (file == NULL || count == MOST_SEEDS)
        abort();
    seeds[count] = malloc(MOST_BYTES);
    sizes[count] = fread(seeds[count], 1, MOST_BYTES, file);
    count++;
    fclose(file);
}

static size_t change(uint8_t *data, size_t size)
{
    static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x10, 0xbe};
    for (uint64_t changes = 1 + draw() % 8; changes > 0; changes--) {
        size_t at = size > 0 ? draw() % size : 0;
        size_t length = 1 + draw() % 16;
        switch (draw() % 7) {
        case 0:
            if (size > 0)
                data[at] ^= (uint8_t)(1 << draw() % 8);
            break;
        case 1:
            if (size > 0)
                data[at] = telling[draw() % sizeof telling];
            break;
        case 2:
            if (size > 0)
                data[at] = (uint8_t)draw();
            break;
        case 3: /* cut */
            size = at;
            break;
        case 4: /* take out */
            length = length < size - at ? length : size - at;
            memmove(data + at, data + at + length, size - at - length);
            size -= length;
            break;
        case 5: /* put in */
            if (size + length <= MOST_BYTES) {
                memmove(data + at + length, data + at, size - at);
                for (size_t i = 0; i < length; i++)
                    data[at + i] = (uint8_t)draw();
                size += length;
            }
            break;
        default: { /* of another seed */
            int other = (int)(draw() % (uint64_t)count);
            size_t from = sizes[other] > 0 ? draw() % sizes[other] : 0;
            length = sizes[other] - from < MOST_BYTES - at ? sizes[other] - from : MOST_BYTES - at;
            memcpy(data + at, seeds[other] + from, length);
            size = at + length > size ? at + length : size;
        }
        }
    }
    return size;
}

int main(int arguments, char **argument)
{
    if (arguments < 3)
        return 2;
    long executions = atol(argument[1]);
    state = strtoull(argument[2], NULL, 10) | 1;
    for (int i = 3; i < arguments; i++)
        read_seed(argument[i]);
    if (count == 0) {
        seeds[0] = calloc(1, MOST_BYTES);
        sizes[count++] = 64;
    }
    for (int i = 0; i < count; i++)
        LLVMFuzzerTestOneInput(seeds[i], sizes[i]);
    static uint8_t data[MOST_BYTES];
    for (long i = 0; i < executions; i++) {
        int seed = (int)(draw() % (uint64_t)count);
        memcpy(data, seeds[seed], sizes[seed]);
        LLVMFuzzerTestOneInput(data, change(data, sizes[seed]));
    }
    printf("%ld executions, %d seeds\n", executions, count);
    return 0;
}
