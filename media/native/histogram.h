/* Log histograms of durations: buckets of equal ratio from 10 us up (media.plane.TRANSIT_BUCKETS). */

#ifndef KONSIL_HISTOGRAM_H
#define KONSIL_HISTOGRAM_H

#include <stdint.h>

#define TRANSIT_BUCKETS 100
#define TRANSIT_PER_DECADE 20
#define LATENCY_BUCKETS 300 /* the probe's: 60 a decade, 10 us to 1 s */
#define LATENCY_PER_DECADE 60

/* Fill the tables; call once before any other. */
void histogram_start(void);
/* The bucket of a duration in ns; what is shorter is in the first, what is longer in the last. */
int transit_bucket(int64_t duration);
int latency_bucket(int64_t duration);

#endif
