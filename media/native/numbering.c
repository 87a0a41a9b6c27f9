/* Numbers in, numbers out. The newest run is nearly always the one; the others are found by halves. */

#include "numbering.h"

#include <stddef.h>

static struct run *nth(const struct numbering *numbering, uint64_t number)
{
    return (struct run *)&numbering->runs[number % RUNS];
}

static struct run *newest(const struct numbering *numbering)
{
    return nth(numbering, numbering->run_count - 1);
}

uint64_t numbering_highest(const struct numbering *numbering)
{
    if (numbering->run_count == numbering->oldest)
        return numbering->floor;
    const struct run *run = newest(numbering);
    return run->first_out + run->count - 1;
}

void numbering_begin(struct numbering *numbering, uint64_t in)
{
    numbering->seen = (int64_t)in - 1;
    numbering->changed = true;
}

/* Give numbers to all from the last that was seen on, up to and without `end`. */
static void extend(struct numbering *numbering, uint64_t end)
{
    uint64_t first = (uint64_t)(numbering->seen + 1);
    if (first >= end)
        return;
    if (numbering->run_count > numbering->oldest && !numbering->changed) {
        struct run *run = newest(numbering);
        if (run->first_in + run->count == first) {
            run->count += (uint32_t)(end - first);
            return;
        }
    }
    /* the first number is 1: SRTP wants it below 2^15 (RFC 3711, 3.3.1), and hides it */
    uint64_t out = numbering_highest(numbering) + 1;
    struct run *run = nth(numbering, numbering->run_count++);
    if (numbering->run_count - numbering->oldest > RUNS)
        numbering->oldest++;
    *run = numbering->kind;
    run->first_in = first;
    run->first_out = out;
    run->count = (uint32_t)(end - first);
    numbering->changed = false;
}

uint64_t numbering_take(struct numbering *numbering, uint64_t in)
{
    extend(numbering, in + 1);
    numbering->seen = (int64_t)in;
    return numbering_highest(numbering);
}

void numbering_skip(struct numbering *numbering, uint64_t in)
{
    extend(numbering, in);
    numbering->seen = (int64_t)in;
}

const struct run *numbering_find(const struct numbering *numbering, uint8_t encoding, uint8_t life, uint64_t in)
{
    for (uint64_t number = numbering->run_count; number > numbering->oldest; number--) {
        struct run *run = nth(numbering, number - 1);
        if (run->encoding == encoding && run->life == life && in >= run->first_in)
            return in < run->first_in + run->count ? run : NULL;
    }
    return NULL;
}

const struct run *numbering_run(const struct numbering *numbering, uint64_t out)
{
    if (numbering->run_count == numbering->oldest || out > numbering_highest(numbering))
        return NULL;
    const struct run *run = newest(numbering);
    if (out >= run->first_out)
        return run;
    uint64_t low = numbering->oldest, high = numbering->run_count - 1;
    if (out < nth(numbering, low)->first_out)
        return NULL;
    while (high - low > 1) {
        uint64_t middle = (low + high) / 2;
        if (nth(numbering, middle)->first_out <= out)
            low = middle;
        else
            high = middle;
    }
    return nth(numbering, low);
}

void numbering_rewind(struct numbering *numbering, uint64_t highest)
{
    while (numbering->run_count > numbering->oldest && newest(numbering)->first_out > highest)
        numbering->run_count--;
    if (numbering->run_count == numbering->oldest) {
        numbering->floor = highest;
        return;
    }
    struct run *run = newest(numbering);
    if (highest + 1 - run->first_out < run->count)
        run->count = (uint32_t)(highest + 1 - run->first_out);
}
