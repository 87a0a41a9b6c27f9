/* Answer a consumer's NACK from the history, without waiting for Python. */

#include "plane.h"

#define REPEAT_EVERY_MS 10 /* and not while the last repeat is still under way */
#define KEY_FRAME_WANTED_EVERY (100 * MILLISECOND)
/* media.plane's: a consumer that asks for everything gets twice a 4K stream, not more. */
#define REPEATS_AT_ONCE 1024
#define REPEATS_A_SECOND 4096

/* Take a token, of which there are so many a second. */
static bool may_repeat(struct plane *plane, struct consumer *consumer)
{
    int64_t elapsed = plane->now - consumer->repeats_left_at;
    int64_t tokens = elapsed >= SECOND ? REPEATS_AT_ONCE : elapsed * REPEATS_A_SECOND / SECOND;
    if (tokens > 0) {
        consumer->repeats_left_at = plane->now;
        tokens += consumer->repeats_left;
        consumer->repeats_left = (int)(tokens < REPEATS_AT_ONCE ? tokens : REPEATS_AT_ONCE);
    }
    if (consumer->repeats_left == 0)
        return false;
    consumer->repeats_left--;
    return true;
}

/* The history cannot help: only a key frame can. */
void want_key_frame(struct plane *plane, struct encoding *encoding)
{
    struct producer *producer = encoding->producer;
    if (producer->codec == CODEC_OPUS || plane->now - encoding->key_frame_wanted < KEY_FRAME_WANTED_EVERY)
        return;
    encoding->key_frame_wanted = plane->now;
    post_event(plane, EVENT_KEY_FRAME_WANTED, producer->transport, NULL, 0, producer->id, &encoding->index, 1);
}

struct packet *find_sent(const struct consumer *consumer, uint64_t out)
{
    const struct run *run = numbering_run(&consumer->selection.numbering, out);
    if (run == NULL)
        return NULL;
    const struct encoding *encoding = &consumer->producer->encodings[run->encoding];
    if (encoding->life != run->life)
        return NULL;
    struct packet *packet = history_find(&encoding->history, run->first_in + (out - run->first_out));
    if (packet == NULL || !target_sends(targets_find(&consumer->selection, run, packet), &packet->place))
        return NULL;
    return packet;
}

void repeat(struct plane *plane, struct consumer *consumer, uint16_t sequence)
{
    const struct numbering *numbering = &consumer->selection.numbering;
    uint64_t highest = numbering_highest(numbering);
    int behind = (int16_t)((uint16_t)highest - sequence);
    if (highest == 0 || behind < 0 || (uint64_t)behind >= highest) {
        drop(plane, DROP_NOT_IN_HISTORY); /* was never sent */
        return;
    }
    uint64_t out = highest - (uint64_t)behind;
    const struct run *run = numbering_run(numbering, out);
    struct encoding *encoding = &consumer->producer->encodings[run != NULL ? run->encoding : consumer->selection.encoding];
    uint64_t in = run != NULL ? run->first_in + (out - run->first_out) : 0;
    bool known = run != NULL && run->life == encoding->life;
    struct packet *packet = known ? history_find(&encoding->history, in) : NULL;
    if (packet == NULL || (int64_t)counted(&encoding->last_arrival) - packet->arrival > encoding->history.keep) {
        drop(plane, DROP_NOT_IN_HISTORY);
        /* what we ourselves have asked for may still come */
        if (!known || !missing_waits(encoding, in))
            want_key_frame(plane, encoding);
        return;
    }
    const struct chosen *chosen = targets_find(&consumer->selection, run, packet);
    if (!target_sends(chosen, &packet->place)) {
        /* padding has used up the number */
        drop(plane, chosen == NULL ? DROP_NOT_IN_HISTORY : DROP_LAYER);
        return;
    }
    uint32_t now = (uint32_t)(plane->now / MILLISECOND);
    now += now == 0; /* 0 means never */
    uint32_t every = (uint32_t)(consumer->transport->round_trip * 8 / 10 / MILLISECOND);
    every = every > REPEAT_EVERY_MS ? every : REPEAT_EVERY_MS;
    struct repeated *repeated = &consumer->repeated[out % REPEATS_REMEMBERED];
    if ((repeated->at != 0 && repeated->out == (uint32_t)out && now - repeated->at < every) || !may_repeat(plane, consumer)) {
        drop(plane, DROP_NACK_LIMIT);
        return;
    }
    if (!sendable(plane, consumer->transport, 1))
        return;
    *repeated = (struct repeated){(uint32_t)out, now};
    offer(plane, consumer, packet, out, SENDING_REPEAT);
}
