/* When a paced transport's packets leave: audio at once, repeats before video, no faster than a rate. What waits is
 * a reference into a history; what has waited too long is given up. */

#include "plane.h"

#define BURST_BYTES 12500           /* what may leave at once after a pause: ten packets */
#define TICK MILLISECOND            /* paced transports are looked after together, so often */
#define MAX_WAIT_MS 250
#define MAX_KEY_FRAME_WAIT_MS 1000 /* on a thin line it takes so long, and nothing is seen without it */

static int64_t duration(int64_t bytes, int64_t rate)
{
    return bytes * 8 * SECOND / rate;
}

void pacer_start(struct pacer *pacer)
{
    pacer->repeats = (struct waiting_queue){.entries = pacer->repeat_entries, .room = WAITING_REPEATS};
    pacer->video = (struct waiting_queue){.entries = pacer->video_entries, .room = WAITING_VIDEO};
}

static struct waiting *nth(const struct waiting_queue *queue, int n)
{
    return &queue->entries[(queue->first + n) % queue->room];
}

static void count_queue(struct pacer *pacer, int64_t bytes, int packets)
{
    count_up(&pacer->transport->queued_bytes, (uint64_t)bytes);
    count_up(&pacer->transport->queued_packets, (uint64_t)(int64_t)packets);
}

static bool push(struct pacer *pacer, struct waiting_queue *queue, struct waiting waiting)
{
    if (queue->count == queue->room)
        return false;
    *nth(queue, queue->count++) = waiting;
    count_queue(pacer, waiting.size, 1);
    return true;
}

static struct waiting pop(struct pacer *pacer, struct waiting_queue *queue)
{
    struct waiting waiting = *nth(queue, 0);
    queue->first = --queue->count == 0 ? 0 : (queue->first + 1) % queue->room; /* the same few cache lines */
    count_queue(pacer, -(int64_t)waiting.size, -1);
    return waiting;
}

static int discard_from(struct pacer *pacer, struct waiting_queue *queue, const struct consumer *consumer)
{
    int kept = 0, count = queue->count;
    for (int i = 0; i < count; i++) {
        struct waiting waiting = *nth(queue, i);
        if (waiting.consumer == consumer)
            count_queue(pacer, -(int64_t)waiting.size, -1);
        else
            *nth(queue, kept++) = waiting;
    }
    queue->count = kept;
    return count - kept;
}

/* Forget what waits of a consumer's video; its numbers were not used. */
void pacer_discard(struct plane *plane, struct consumer *consumer, enum drop reason)
{
    struct pacer *pacer = consumer->transport->pacer;
    if (pacer == NULL || pacer->video.count == 0)
        return;
    int discarded = discard_from(pacer, &pacer->video, consumer);
    count_up(&plane->drops[reason], (uint64_t)discarded);
    if (discarded > 0)
        numbering_rewind(&consumer->selection.numbering, consumer->highest_sent);
}

void pacer_forget(struct consumer *consumer)
{
    struct pacer *pacer = consumer->transport->pacer;
    if (pacer != NULL) {
        discard_from(pacer, &pacer->video, consumer);
        discard_from(pacer, &pacer->repeats, consumer);
    }
}

/* Give up what waits of a consumer's video: it begins anew at a key frame. */
static void overflow(struct plane *plane, struct consumer *consumer)
{
    pacer_discard(plane, consumer, DROP_PACER_FULL);
    layers_await(consumer);
    want_key_frame(plane, &consumer->producer->encodings[consumer->selection.encoding]);
}

void pacer_spend(struct plane *plane, struct pacer *pacer, int size)
{
    if (pacer->rate == 0)
        return;
    int64_t earliest = plane->now - duration(BURST_BYTES, pacer->rate);
    pacer->free_at = (pacer->free_at > earliest ? pacer->free_at : earliest) + duration(size, pacer->rate);
}

static void list(struct plane *plane, struct pacer *pacer)
{
    if (!pacer->listed) {
        pacer->listed = true;
        pacer->next = plane->paced;
        plane->paced = pacer;
    }
    int64_t next = (plane->now + TICK) / TICK * TICK;
    if (next < plane->pacer_timer)
        plane->pacer_timer = next;
}

void offer(struct plane *plane, struct consumer *consumer, struct packet *packet, uint64_t out, enum sending kind)
{
    struct pacer *pacer = consumer->transport->pacer;
    bool repeat = kind == SENDING_REPEAT;
    if (pacer == NULL || pacer->rate == 0 || consumer->producer->codec == CODEC_OPUS) {
        forward(plane, consumer, packet, out, kind);
        return;
    }
    if (packet->key_frame) {
        consumer->key_frame_seen = true;
        consumer->key_frame_timestamp = packet->timestamp;
    }
    if (pacer->free_at <= plane->now && pacer->repeats.count == 0 && (repeat || pacer->video.count == 0)) {
        forward(plane, consumer, packet, out, kind);
        return;
    }
    struct waiting waiting = {.consumer = consumer,
                              .encoding = packet->encoding,
                              .sequence = packet->sequence,
                              .out = out,
                              .since = (uint32_t)(plane->now / MILLISECOND),
                              .size = packet->layout.size,
                              .key_frame = consumer->key_frame_seen &&
                                           consumer->key_frame_timestamp == packet->timestamp};
    if (!push(pacer, repeat ? &pacer->repeats : &pacer->video, waiting)) {
        drop(plane, DROP_PACER_FULL);
        if (!repeat)
            overflow(plane, nth(&pacer->video, 0)->consumer);
    }
    list(plane, pacer);
}

static bool overdue(const struct plane *plane, const struct waiting_queue *queue)
{
    if (queue->count == 0)
        return false;
    const struct waiting *oldest = nth(queue, 0);
    uint32_t waited = (uint32_t)(plane->now / MILLISECOND) - oldest->since;
    return waited > (oldest->key_frame ? MAX_KEY_FRAME_WAIT_MS : MAX_WAIT_MS);
}

static void send_waiting(struct plane *plane, struct pacer *pacer, struct waiting_queue *queue, enum sending kind)
{
    struct waiting waiting = pop(pacer, queue);
    struct packet *packet = history_find(&waiting.encoding->history, waiting.sequence);
    if (packet == NULL) {
        drop(plane, DROP_NOT_IN_HISTORY); /* a history is longer than any wait, unless the stream begins anew */
        return;
    }
    count_up(&pacer->transport->paced, 1);
    forward(plane, waiting.consumer, packet, waiting.out, kind);
}

bool pacer_send_next(struct plane *plane, struct pacer *pacer)
{
    if (pacer->repeats.count > 0)
        send_waiting(plane, pacer, &pacer->repeats, SENDING_REPEAT);
    else if (pacer->video.count > 0)
        send_waiting(plane, pacer, &pacer->video, SENDING_LATER);
    else
        return false;
    return true;
}

/* Send what may leave by now; drop what waited too long. */
static void drain(struct plane *plane, struct pacer *pacer)
{
    while (overdue(plane, &pacer->repeats)) {
        pop(pacer, &pacer->repeats);
        drop(plane, DROP_PACER_FULL);
    }
    while (overdue(plane, &pacer->video))
        overflow(plane, nth(&pacer->video, 0)->consumer);
    while ((pacer->rate == 0 || pacer->free_at <= plane->now) && pacer_send_next(plane, pacer)) {
    }
}

void pacer_run(struct plane *plane)
{
    if (plane->now < plane->pacer_timer)
        return;
    plane->sending_time = realtime_ns();
    for (struct pacer **link = &plane->paced; *link != NULL;) {
        struct pacer *pacer = *link;
        drain(plane, pacer);
        pacer->listed = pacer->repeats.count + pacer->video.count > 0;
        if (pacer->listed)
            link = &pacer->next;
        else
            *link = pacer->next;
    }
    send_batch(plane);
    plane->pacer_timer = plane->paced != NULL ? (plane->now + TICK) / TICK * TICK : INT64_MAX;
}

void pacer_set_rate(struct plane *plane, struct pacer *pacer, int64_t rate)
{
    pacer->rate = rate;
    pacer->free_at = plane->now; /* what was sent by the old rate is paid */
    if (pacer->listed)
        plane->pacer_timer = plane->now;
}

void pacer_unlist(struct plane *plane, struct pacer *pacer)
{
    struct pacer **link = &plane->paced;
    while (*link != NULL && *link != pacer)
        link = &(*link)->next;
    if (*link != NULL)
        *link = pacer->next;
}
