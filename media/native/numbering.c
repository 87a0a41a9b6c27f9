/* A consumer's sequence numbers. While it is sent to, they are its producer's less a constant: losses stay
 * visible, and what is recovered finds its place. Each pause begins another run, which joins without a gap. */

#include "plane.h"

static struct run *newest(const struct consumer *consumer)
{
    return (struct run *)&consumer->runs[(consumer->run_count - 1) % RUNS];
}

uint64_t numbering_highest_out(const struct consumer *consumer)
{
    if (consumer->run_count == 0)
        return 0;
    const struct run *run = newest(consumer);
    return run->first_out + (run->last_in - run->first_in);
}

void numbering_rewind(struct consumer *consumer)
{
    while (consumer->run_count > 0 && newest(consumer)->first_out > consumer->highest_sent)
        consumer->run_count--;
    if (consumer->run_count > 0) {
        struct run *run = newest(consumer);
        run->last_in = run->first_in + (consumer->highest_sent - run->first_out);
    }
}

bool numbering_begin(struct consumer *consumer, uint64_t in)
{
    if (consumer->run_count > 0 && in <= newest(consumer)->last_in)
        return false; /* recovered late: the consumer has been sent newer ones already */
    /* the first number is 1: SRTP wants it below 2^15 (RFC 3711, 3.3.1), and hides it */
    uint64_t out = numbering_highest_out(consumer) + 1;
    consumer->run_count++;
    *newest(consumer) = (struct run){.first_in = in, .last_in = in, .first_out = out};
    return true;
}

/* The run that holds a number, newest first. The newest is open towards the future. */
static struct run *run_of(const struct consumer *consumer, uint64_t in)
{
    uint64_t remembered = consumer->run_count < RUNS ? consumer->run_count : RUNS;
    for (uint64_t i = 0; i < remembered; i++) {
        struct run *run = (struct run *)&consumer->runs[(consumer->run_count - 1 - i) % RUNS];
        if (in >= run->first_in)
            return i == 0 || in <= run->last_in ? run : NULL;
    }
    return NULL;
}

bool numbering_out(struct consumer *consumer, uint64_t in, uint64_t *out)
{
    struct run *run = run_of(consumer, in);
    if (run == NULL)
        return false;
    if (in > run->last_in)
        run->last_in = in;
    *out = run->first_out + (in - run->first_in);
    return true;
}

bool numbering_in(const struct consumer *consumer, uint64_t out, uint64_t *in)
{
    uint64_t remembered = consumer->run_count < RUNS ? consumer->run_count : RUNS;
    for (uint64_t i = 0; i < remembered; i++) {
        const struct run *run = &consumer->runs[(consumer->run_count - 1 - i) % RUNS];
        if (out >= run->first_out) {
            *in = run->first_in + (out - run->first_out);
            return *in <= run->last_in;
        }
    }
    return false;
}
