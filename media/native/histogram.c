#include "histogram.h"

#include <math.h>

#define SHORTEST 10000.0 /* ns */

/* The lower bound of each bucket in ns, and for each power of two the bucket that holds it: a look-up ends
 * within the few buckets of one octave. */
struct scale {
    int64_t bounds[LATENCY_BUCKETS];
    int octaves[64];
    int buckets;
};

static struct scale transit, latency;

static void scale_make(struct scale *scale, int buckets, int per_decade)
{
    scale->buckets = buckets;
    for (int i = 0; i < buckets; i++)
        scale->bounds[i] = (int64_t)ceil(SHORTEST * pow(10.0, (double)i / per_decade));
    for (int octave = 0; octave < 64; octave++) {
        int bucket = 0;
        while (bucket + 1 < buckets && octave < 63 && scale->bounds[bucket + 1] <= (int64_t)1 << octave)
            bucket++;
        scale->octaves[octave] = octave < 63 ? bucket : buckets - 1;
    }
}

static int bucket_of(const struct scale *scale, int64_t duration)
{
    if (duration < scale->bounds[1])
        return 0;
    int bucket = scale->octaves[63 - __builtin_clzll((uint64_t)duration)];
    while (bucket + 1 < scale->buckets && scale->bounds[bucket + 1] <= duration)
        bucket++;
    return bucket;
}

void histogram_start(void)
{
    scale_make(&transit, TRANSIT_BUCKETS, TRANSIT_PER_DECADE);
    scale_make(&latency, LATENCY_BUCKETS, LATENCY_PER_DECADE);
}

int transit_bucket(int64_t duration)
{
    return bucket_of(&transit, duration);
}

int latency_bucket(int64_t duration)
{
    return bucket_of(&latency, duration);
}
