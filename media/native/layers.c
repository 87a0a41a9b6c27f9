/* Which of a producer's packets a consumer is sent: of which encoding, and of it which layers.
 *
 * Between encodings a consumer changes at a key frame of the new one; until then the old one goes on. Both send the
 * same pictures under the same canonical timestamps, the better one a little later. So while a change waits, pictures
 * of the old encoding are held back until the new one has shown whether its picture of that time is the key frame:
 * otherwise that picture would have been sent already, and the change would be missed again and again.
 *
 * What is sent of an encoding's pictures is chosen in targets.c. */

#include "plane.h"

#define PATIENCE (30 * MILLISECOND) /* how long a picture is held back at first, and at most */
#define MAX_PATIENCE (120 * MILLISECOND)
#define ALIVE (200 * MILLISECOND)          /* an encoding that has been silent for longer is not waited for */
#define MAX_PARAMETER_SETS 8 /* packets before the picture itself in which they may be */
#define ASK_AGAIN (500 * MILLISECOND)      /* for the key frame that a switch waits for; */
#define MISSED (100 * MILLISECOND)         /* so soon, when it came too late */

static bool newer(uint32_t timestamp, uint32_t than)
{
    return (int32_t)(timestamp - than) > 0;
}

static uint32_t canonical(const struct packet *packet)
{
    return packet->timestamp + packet->encoding->timestamp_offset;
}

static struct encoding *encoding_of(const struct consumer *consumer, int index)
{
    return &consumer->producer->encodings[index];
}

void layers_start(struct consumer *consumer)
{
    struct selection *selection = &consumer->selection;
    selection->wanted = (struct layer){0, 3, 3};
    selection->numbering.seen = -1;
    for (int i = 0; i < MAX_ENCODINGS; i++)
        selection->left[i] = -1;
    selection->covered = ALL_TARGETS;
    selection->patience = PATIENCE;
}

static void report(struct plane *plane, struct consumer *consumer, const struct encoding *encoding,
                   const struct place *place, uint32_t timestamp)
{
    int layer = place->layered ? layer_capped(encoding, consumer->selection.target_layer) : 0;
    uint64_t sent = (uint64_t)(encoding->index + 1) | (uint64_t)((layer >> 2) + 1) << 8 |
                    (uint64_t)((layer & 3) + 1) << 16;
    if (sent == counted(&consumer->layer_sent))
        return;
    note(&consumer->layer_sent, sent);
    uint8_t data[7] = {encoding->index, (uint8_t)(layer >> 2), (uint8_t)(layer & 3)};
    write_32(data + 3, timestamp);
    post_event(plane, EVENT_LAYER, consumer->transport, NULL, plane->sending_time, consumer->id, data, sizeof data);
}

/* Remember how a frame that is sent is called. */
static void note_names(struct selection *selection, const struct place *place)
{
    const struct naming *naming = &selection->numbering.kind.naming;
    if (place->picture_bits != 0) {
        selection->has_picture = true;
        selection->last_picture = (place->picture + naming->picture) & 0x7fff;
    }
    if (place->tl0_at != 0) {
        selection->has_tl0 = true;
        selection->last_tl0 = (uint8_t)(place->tl0 + naming->tl0);
    }
    if (place->numbered) {
        selection->has_frame_number = true;
        selection->last_frame_number = (uint16_t)(place->frame_number + naming->frame_number);
    }
}

/* The names before those of a frame that is not sent were given away: to what is missing there. */
static void reserve_names(struct selection *selection, const struct place *place)
{
    const struct naming *naming = &selection->numbering.kind.naming;
    if (selection->begins_picture && place->picture_bits != 0) {
        selection->has_picture = true;
        selection->last_picture = (place->picture + naming->picture - 1) & 0x7fff;
    }
    if (place->tl0_at != 0) {
        selection->has_tl0 = true;
        selection->last_tl0 = (uint8_t)(place->tl0 + naming->tl0);
    }
    if (place->numbered) {
        selection->has_frame_number = true;
        selection->last_frame_number = (uint16_t)(place->frame_number + naming->frame_number - 1);
    }
}

/* Say what to add so that the next frame bears the next name. */
static void name_after(struct selection *selection, const struct packet *packet)
{
    const struct place *place = &packet->place;
    struct naming naming = {.timestamp = packet->encoding->timestamp_offset};
    if (selection->has_picture && place->picture_bits != 0)
        naming.picture = (selection->last_picture + 1 - place->picture) & 0x7fff;
    if (selection->has_tl0 && place->tl0_at != 0)
        naming.tl0 = (uint8_t)(selection->last_tl0 + 1 - place->tl0);
    if (selection->has_frame_number && place->numbered)
        naming.frame_number = (uint16_t)(selection->last_frame_number + 1 - place->frame_number);
    selection->numbering.kind.naming = naming;
}

/* Go on with numbers and names after a packet that is not sent. */
static void leave_out(struct consumer *consumer, const struct packet *packet)
{
    struct selection *selection = &consumer->selection;
    const struct place *place = &packet->place;
    bool gap = (int64_t)packet->sequence > selection->numbering.seen + 1;
    numbering_skip(&selection->numbering, packet->sequence);
    if (gap && selection->begins_frame)
        reserve_names(selection, place);
    if (selection->begins_picture && consumer->producer->codec == CODEC_VP8 && place->picture_bits != 0) {
        /* VP8's picture identifiers have no gap, or a receiver would wait for what is missing; but what was lost
         * before this picture keeps its name */
        struct naming *naming = &selection->numbering.kind.naming;
        naming->picture = (naming->picture - 1) & 0x7fff;
        selection->numbering.changed = true;
    }
}

static void note_newest(struct selection *selection, uint32_t timestamp)
{
    selection->sent = true;
    selection->newest = timestamp;
}

/* Deal with the newest packet of the encoding that is being sent. */
static void deal_next(struct plane *plane, struct consumer *consumer, struct encoding *encoding, struct packet *packet)
{
    struct selection *selection = &consumer->selection;
    uint32_t timestamp = canonical(packet);
    if (!targets_decide(plane, selection, encoding, packet)) {
        leave_out(consumer, packet);
        drop(plane, DROP_LAYER);
        return;
    }
    if (!selection->sent || newer(timestamp, selection->newest)) {
        note_newest(selection, timestamp);
        report(plane, consumer, encoding, &packet->place, timestamp);
    }
    note_names(selection, &packet->place);
    offer(plane, consumer, packet, numbering_take(&selection->numbering, packet->sequence), SENDING_FIRST);
}

/* The number of a late packet that is not sent is used up by padding. */
static void deal_late(struct plane *plane, struct consumer *consumer, const struct encoding *encoding,
                      struct packet *packet)
{
    struct selection *selection = &consumer->selection;
    const struct run *run = numbering_find(&selection->numbering, encoding->index, encoding->life, packet->sequence);
    if (run == NULL) {
        if (selection->chosen && selection->encoding != encoding->index)
            drop(plane, DROP_LAYER);
        else
            drop(plane, consumer->producer->codec == CODEC_OPUS ? DROP_TOO_OLD : DROP_AWAITING_KEY_FRAME);
        return;
    }
    uint64_t out = run->first_out + (packet->sequence - run->first_in);
    uint32_t timestamp = packet->timestamp + run->naming.timestamp;
    if (!target_sends(targets_find(selection, run, packet), &packet->place)) {
        drop(plane, DROP_LAYER);
        send_filler(plane, consumer, out, timestamp);
        return;
    }
    if (!selection->sent || newer(timestamp, selection->newest))
        note_newest(selection, timestamp);
    offer(plane, consumer, packet, out, SENDING_FIRST);
}

/* Deal with what was held back, up to a canonical timestamp where one is given. */
static void release(struct plane *plane, struct consumer *consumer, const uint32_t *until)
{
    struct selection *selection = &consumer->selection;
    if (!selection->holding)
        return;
    struct encoding *encoding = encoding_of(consumer, selection->encoding);
    uint64_t highest = counted(&encoding->highest);
    for (uint64_t number = (uint64_t)(selection->numbering.seen + 1); number <= highest; number++) {
        struct packet *packet = history_find(&encoding->history, number);
        if (packet == NULL || packet->pending)
            continue; /* what is pending has its turn still */
        if (until != NULL && newer(canonical(packet), *until)) {
            selection->hold_until = plane->now + selection->patience;
            if (selection->hold_until < plane->hold_timer)
                plane->hold_timer = selection->hold_until;
            return;
        }
        deal_next(plane, consumer, encoding, packet);
    }
    selection->holding = false;
}

/* Whether a picture of the encoding that is being sent waits for the one that is wanted. */
static bool hold(struct plane *plane, struct consumer *consumer, const struct packet *packet)
{
    struct selection *selection = &consumer->selection;
    if (selection->wanted.encoding == selection->encoding)
        return false;
    struct encoding *other = encoding_of(consumer, selection->wanted.encoding);
    uint32_t timestamp = canonical(packet);
    if (!other->offset_known || !other->started ||
        packet->arrival - (int64_t)counted(&other->last_arrival) > ALIVE)
        return selection->holding;
    if (plane->now - selection->asked_at >= ASK_AGAIN) {
        selection->asked_at = plane->now;
        want_key_frame(plane, other);
    }
    if (selection->holding)
        return true;
    if ((selection->sent && !newer(timestamp, selection->newest)) ||
        (other->dealt_any && !newer(timestamp, other->dealt + other->timestamp_offset)))
        return false;
    selection->holding = true;
    selection->hold_until = plane->now + selection->patience;
    if (selection->hold_until < plane->hold_timer)
        plane->hold_timer = selection->hold_until;
    return true;
}

static bool may_begin(struct plane *plane, struct consumer *consumer, struct encoding *encoding,
                      const struct packet *packet)
{
    struct selection *selection = &consumer->selection;
    bool same = selection->chosen && selection->encoding == encoding->index;
    if (consumer->producer->codec == CODEC_OPUS)
        return !same || selection->life != encoding->life || (int64_t)packet->sequence > selection->numbering.seen;
    if (!packet->key_frame || !encoding->offset_known)
        return false;
    if (same && selection->life == encoding->life)
        return (int64_t)packet->sequence > selection->numbering.seen;
    bool awaiting = consumer->state == CONSUMER_AWAITING;
    if (encoding->index != selection->wanted.encoding && !(awaiting && encoding->index < selection->wanted.encoding))
        return false;
    if (same || !selection->sent || newer(canonical(packet), selection->newest))
        return true;
    if (!awaiting && packet->sequence == counted(&encoding->highest)) {
        /* its picture was sent already, of the old encoding: next time more patience */
        selection->patience = 2 * selection->patience < MAX_PATIENCE ? 2 * selection->patience : MAX_PATIENCE;
        if (selection->asked_at > plane->now - ASK_AGAIN + MISSED)
            selection->asked_at = plane->now - ASK_AGAIN + MISSED;
    }
    return false;
}

/* The first number that may be of a key frame: of H.264 and H.265, parameter sets may be on their way. */
static uint64_t beginning(const struct encoding *encoding, const struct packet *packet)
{
    enum codec codec = encoding->producer->codec;
    uint64_t first = packet->sequence;
    if (codec != CODEC_H264 && codec != CODEC_H265)
        return first;
    for (int i = 1; i < MAX_PARAMETER_SETS && first > 0; i++) {
        const struct packet *before = history_find(&encoding->history, first - 1);
        if (before == NULL ? history_received(&encoding->history, first - 1)
                           : before->timestamp != packet->timestamp)
            break;
        first--;
    }
    return first;
}

/* Say once more when frames were captured: who has just begun, or changed, is not to wait for the sender to do so.
 * Without RTX a repeat must be what was sent first, so that it is said at the very beginning alone. */
static void announce(struct consumer *consumer, uint64_t from)
{
    if (consumer->rtx_ssrc == 0 && consumer->announced_from != 0)
        return;
    consumer->announced = consumer->producer->capture;
    consumer->announced_from = from;
}

/* Begin to send an encoding; return its first number that was dealt with. */
static uint64_t begin(struct plane *plane, struct consumer *consumer, struct encoding *encoding, struct packet *packet)
{
    struct selection *selection = &consumer->selection;
    uint32_t before = canonical(packet) - 1;
    release(plane, consumer, &before);
    selection->holding = false;
    if (selection->chosen)
        selection->left[selection->encoding] = selection->numbering.seen;
    consumer->state = CONSUMER_SENDING;
    selection->chosen = true;
    selection->encoding = encoding->index;
    selection->life = encoding->life;
    selection->numbering.kind.encoding = encoding->index;
    selection->numbering.kind.life = encoding->life;
    targets_begin(selection);
    name_after(selection, packet);
    announce(consumer, numbering_highest(&selection->numbering) + 1);
    uint64_t first = beginning(encoding, packet), highest = counted(&encoding->highest);
    numbering_begin(&selection->numbering, first);
    /* with what overtook the beginning */
    for (uint64_t number = first; number <= highest; number++) {
        struct packet *other = history_find(&encoding->history, number);
        if (other != NULL && (other == packet || !other->pending))
            deal_next(plane, consumer, encoding, other);
    }
    return first;
}

/* Who waits in vain asks again: the key frame that answered may have begun before this consumer could be sent it. */
static void ask_to_begin(struct plane *plane, struct consumer *consumer, struct encoding *encoding,
                         const struct packet *packet)
{
    struct selection *selection = &consumer->selection;
    if (consumer->state != CONSUMER_AWAITING || !encoding->offset_known ||
        encoding->index > selection->wanted.encoding)
        return;
    struct encoding *other = encoding_of(consumer, selection->wanted.encoding);
    if (other != encoding && other->started && packet->arrival - (int64_t)counted(&other->last_arrival) <= ALIVE)
        return;
    if (selection->asked_at == 0) {
        selection->asked_at = plane->now;
    } else if (plane->now - selection->asked_at >= ASK_AGAIN) {
        selection->asked_at = plane->now;
        want_key_frame(plane, encoding);
    }
}

static void deal(struct plane *plane, struct consumer *consumer, struct encoding *encoding, int index)
{
    struct selection *selection = &consumer->selection;
    struct packet *packet = encoding->pending[index];
    if (consumer->state == CONSUMER_SENDING && selection->encoding == encoding->index) {
        if ((int64_t)packet->sequence <= selection->numbering.seen)
            deal_late(plane, consumer, encoding, packet);
        else if (!hold(plane, consumer, packet))
            deal_next(plane, consumer, encoding, packet);
        return;
    }
    if (may_begin(plane, consumer, encoding, packet)) {
        uint64_t first = begin(plane, consumer, encoding, packet);
        /* what overtook the beginning in this batch */
        for (int i = 0; i < index; i++) {
            struct packet *earlier = encoding->pending[i];
            if (earlier->sequence < first)
                continue;
            if ((int64_t)earlier->sequence > selection->numbering.seen)
                deal_next(plane, consumer, encoding, earlier);
            else
                deal_late(plane, consumer, encoding, earlier);
        }
        return;
    }
    ask_to_begin(plane, consumer, encoding, packet);
    bool same = selection->chosen && selection->encoding == encoding->index;
    int64_t left = same ? selection->numbering.seen : selection->left[encoding->index];
    if ((int64_t)packet->sequence <= left)
        deal_late(plane, consumer, encoding, packet);
    else
        drop(plane, selection->chosen && !same ? DROP_LAYER : DROP_AWAITING_KEY_FRAME);
    if (selection->holding && encoding->index == selection->wanted.encoding) {
        uint32_t until = canonical(packet);
        release(plane, consumer, &until);
    }
}

void layers_deal(struct plane *plane, struct consumer *consumer, struct encoding *encoding)
{
    for (int i = 0; i < encoding->pending_count; i++)
        deal(plane, consumer, encoding, i);
}

void layers_want(struct plane *plane, struct consumer *consumer, struct layer wanted)
{
    struct selection *selection = &consumer->selection;
    uint8_t before = selection->wanted.encoding;
    selection->wanted = wanted;
    selection->wanted_at = plane->now;
    if (wanted.encoding == before)
        return;
    selection->patience = PATIENCE;
    struct encoding *encoding = encoding_of(consumer, wanted.encoding);
    if (encoding->offset_known && !(selection->chosen && wanted.encoding == selection->encoding)) {
        selection->asked_at = plane->now;
        want_key_frame(plane, encoding);
    }
    plane->sending_time = realtime_ns();
    if (sendable(plane, consumer->transport, 0))
        release(plane, consumer, NULL);
    send_batch(plane);
}

void layers_forget(struct consumer *consumer, const struct encoding *encoding)
{
    struct selection *selection = &consumer->selection;
    selection->left[encoding->index] = -1;
    if (!selection->chosen || selection->encoding != encoding->index)
        return;
    layers_await(consumer);
    if (consumer->producer->encoding_count == 1)
        selection->sent = false;
}

void layers_await(struct consumer *consumer)
{
    if (consumer->state == CONSUMER_SENDING)
        consumer->state = CONSUMER_AWAITING;
    consumer->selection.holding = false;
}

void layers_run(struct plane *plane)
{
    if (plane->now < plane->hold_timer)
        return;
    plane->hold_timer = INT64_MAX;
    plane->sending_time = realtime_ns();
    for (struct transport *transport = plane->transports; transport != NULL; transport = transport->next) {
        for (struct consumer *consumer = transport->consumers; consumer != NULL;
             consumer = consumer->next_of_transport) {
            struct selection *selection = &consumer->selection;
            if (!selection->holding)
                continue;
            if (selection->hold_until <= plane->now && sendable(plane, transport, 0))
                release(plane, consumer, NULL);
            if (selection->holding && selection->hold_until < plane->hold_timer)
                plane->hold_timer = selection->hold_until;
        }
    }
    send_batch(plane);
}
