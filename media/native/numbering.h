/* A consumer's sequence numbers against those of the encodings that it is sent, without a gap that is no loss.
 *
 * A run maps consecutive numbers of one encoding. What is dropped on purpose gets no number, so that it ends a run.
 * What was lost upstream gets one, since nobody knows what it was: it stays a gap, and when it comes it finds its
 * place. */

#ifndef KONSIL_NUMBERING_H
#define KONSIL_NUMBERING_H

#include <stdbool.h>
#include <stdint.h>

/* Runs in which a consumer may still ask for packets: two seconds of a stream whose every second frame is dropped. */
#define RUNS 256

/* What is added to what an encoding calls its frames, so that the names go on over a switch. */
struct naming {
    uint32_t timestamp;
    uint16_t picture, frame_number;
    uint8_t tl0;
};

/* `life` counts the beginnings of the encoding at its sender, `stint` those of any encoding towards the consumer. */
struct run {
    uint64_t first_in, first_out;
    uint32_t count, stint;
    struct naming naming;
    uint8_t encoding, life;
};

struct numbering {
    uint64_t run_count, oldest; /* of all times, and the first of them that is remembered */
    uint64_t floor;        /* the newest number when no run is remembered */
    int64_t seen;          /* the newest number of the encoding that has been dealt with; -1: none */
    bool changed;          /* what runs are has changed: the next number begins one */
    struct run kind;       /* what they are: its numbers do not count */
    struct run runs[RUNS]; /* the newest is runs[(run_count - 1) % RUNS] */
};

uint64_t numbering_highest(const struct numbering *numbering); /* 0: nothing was given */
/* Go on with another stream, or the same later, at this number. */
void numbering_begin(struct numbering *numbering, uint64_t in);
/* Give a number to the next packet, and to those before it that are missing. */
uint64_t numbering_take(struct numbering *numbering, uint64_t in);
/* Give none to the next packet, but to those before it that are missing. */
void numbering_skip(struct numbering *numbering, uint64_t in);
/* The run of a late packet, or of a number that was sent; NULL: none. */
const struct run *numbering_find(const struct numbering *numbering, uint8_t encoding, uint8_t life, uint64_t in);
const struct run *numbering_run(const struct numbering *numbering, uint64_t out);
/* Take back the numbers beyond this one: they were given, but not used. */
void numbering_rewind(struct numbering *numbering, uint64_t highest);

#endif
