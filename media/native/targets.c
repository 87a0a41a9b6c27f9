/* Which decode target a consumer is sent of an encoding: chosen where a picture begins; what comes late follows.
 *
 * The first packet of a picture that is dealt in the order of the numbers chooses: the best target that is wanted and
 * that may be changed to there. `covered` are the targets of which nothing is missing that was sent since they could
 * begin: to these a consumer may change at any picture, to others where the stream says so.
 *
 * A packet that comes late follows what was in force where its number stands. Only around a change that is not enough:
 * of the numbers missing there some are of the picture that brought the change, and its timestamp tells which. So
 * whatever the order, of a picture all is sent or nothing. */

#include "plane.h"

#define LAYER_PATIENCE (500 * MILLISECOND) /* then a key frame is asked for */

/* The layers of a decode target, described or of the grid: spatial times 4 plus temporal, which compares them. */
static int layer_of(const struct encoding *encoding, bool described, int target)
{
    if (!described)
        return target;
    int temporal = encoding->structures[0].target_temporal[target];
    return 4 * encoding->structures[0].target_spatial[target] + (temporal < 3 ? temporal : 3);
}

static int targets_of(const struct encoding *encoding, bool described)
{
    return described ? encoding->structures[0].targets : LAYERS;
}

int layer_capped(const struct encoding *encoding, int layer)
{
    int spatial = layer >> 2, temporal = layer & 3;
    if (spatial > encoding->top_spatial)
        spatial = encoding->top_spatial;
    if (temporal > encoding->top_temporal)
        temporal = encoding->top_temporal;
    return 4 * spatial + temporal;
}

/* The targets that have frames which another one has not. */
static uint32_t lacking(const struct encoding *encoding, bool described, int target)
{
    const struct dependency_structure *structure = &encoding->structures[0];
    uint32_t missed = 0;
    for (int i = 0; i < (described ? structure->templates : LAYERS); i++) {
        uint32_t present = described ? structure->template[i].present : place_grid(i >> 2, i & 3);
        if (!(present >> target & 1))
            missed |= present;
    }
    return missed;
}

/* The best target that is usable and not above what is wanted; -1: none. */
static int best_target(const struct selection *selection, const struct encoding *encoding, bool described,
                       uint32_t usable)
{
    const struct layer *wanted = &selection->wanted;
    int best = -1, best_layer = -1;
    for (int target = 0; target < targets_of(encoding, described); target++) {
        int layer = layer_of(encoding, described, target);
        if (usable >> target & 1 && layer >> 2 <= wanted->spatial && (layer & 3) <= wanted->temporal &&
            layer > best_layer) {
            best = target;
            best_layer = layer;
        }
    }
    return best;
}

/* The targets that may begin at a frame; `covered` are those whose frames were all sent. */
static uint32_t switches_at(const struct place *place, uint32_t covered)
{
    uint32_t switches = 0;
    /* what the descriptor says holds for who can decode the frame: all that it needs is in its own targets */
    if (place->described)
        return place->targets & covered ? place->switches : 0;
    for (int spatial = place->spatial; spatial < 4; spatial++) {
        int row = 4 * spatial, below = row + (place->temporal > 0 ? place->temporal - 1 : 0);
        /* the frame needs no other of its temporal layer */
        if (place->synchronises && covered >> below & 1)
            switches |= 1u << (row + place->temporal);
        /* what follows needs none above it */
        if (place->opens && covered >> (row + place->temporal) & 1)
            switches |= (0xfu & 0xfu << (place->temporal + 1)) << row;
    }
    return switches;
}

/* Layers that are wanted and do not begin need a key frame. */
static void ask_for_layers(struct plane *plane, struct selection *selection, struct encoding *encoding, bool described,
                           int best)
{
    if (selection->wanted_at == 0 || plane->now - selection->wanted_at < LAYER_PATIENCE)
        return;
    selection->wanted_at = 0;
    int ideal = best_target(selection, encoding, described, encoding->active);
    if (ideal < 0 || (best >= 0 && layer_capped(encoding, layer_of(encoding, described, ideal)) ==
                                       layer_capped(encoding, layer_of(encoding, described, best))))
        return;
    selection->wanted_at = plane->now;
    want_key_frame(plane, encoding);
}

static struct chosen *nth(const struct selection *selection, uint64_t number)
{
    return (struct chosen *)&selection->remembered[number % CHANGES];
}

static void remember(struct selection *selection, uint64_t first, uint32_t timestamp)
{
    if (selection->changes > 0) {
        const struct chosen *newest = nth(selection, selection->changes - 1);
        if (newest->stint == selection->numbering.kind.stint && newest->target == selection->target &&
            newest->layer == selection->target_layer)
            return;
    }
    *nth(selection, selection->changes++) = (struct chosen){.stint = selection->numbering.kind.stint,
                                                            .first = first,
                                                            .timestamp = timestamp,
                                                            .target = selection->target,
                                                            .layer = selection->target_layer};
}

void targets_begin(struct selection *selection)
{
    selection->numbering.kind.stint++;
    selection->target = selection->target_layer = 0;
    selection->covered = ALL_TARGETS;
    selection->picture_known = false;
}

/* Choose the target of a picture that begins: never within one, for what was sent of it may have ended it. */
static void choose(struct plane *plane, struct selection *selection, struct encoding *encoding,
                   const struct packet *packet, uint32_t switches)
{
    const struct place *place = &packet->place;
    if (!place->layered) {
        selection->target = selection->target_layer = 0;
        return;
    }
    int best = best_target(selection, encoding, place->described, (selection->covered | switches) & encoding->active);
    if (best >= 0) {
        selection->target = (uint8_t)best;
        selection->target_layer = (uint8_t)layer_of(encoding, place->described, best);
    }
    ask_for_layers(plane, selection, encoding, place->described, best);
}

bool targets_decide(struct plane *plane, struct selection *selection, struct encoding *encoding,
                    const struct packet *packet)
{
    const struct place *place = &packet->place;
    uint32_t timestamp = packet->timestamp + encoding->timestamp_offset;
    bool gap = (int64_t)packet->sequence > selection->numbering.seen + 1;
    selection->begins_picture = !selection->picture_known || selection->picture != timestamp;
    selection->begins_frame = selection->begins_picture || selection->frame_spatial != place->spatial;
    if (place->layered && gap && selection->picture_known)
        /* what is missing will be sent if it comes and is in this target: to others it may be missing for good */
        selection->covered &= ~lacking(encoding, place->described, selection->target);
    if (!selection->begins_frame)
        return selection->frame_sent;
    uint32_t switches = 0;
    if (place->layered) {
        if (packet->key_frame)
            selection->covered = ALL_TARGETS;
        switches = switches_at(place, selection->covered);
    }
    if (selection->begins_picture) {
        choose(plane, selection, encoding, packet, switches);
        remember(selection, packet->sequence, timestamp);
    }
    selection->picture_known = true;
    selection->picture = timestamp;
    selection->frame_spatial = place->spatial;
    selection->frame_sent = place->targets >> selection->target & 1;
    if (selection->frame_sent)
        selection->covered |= switches;
    else
        selection->covered &= ~place->targets;
    return selection->frame_sent;
}

const struct chosen *targets_find(const struct selection *selection, const struct run *run, const struct packet *packet)
{
    const struct chosen *behind = NULL, *following = NULL;
    uint32_t timestamp = packet->timestamp + run->naming.timestamp;
    for (uint64_t number = selection->changes; number > 0 && selection->changes - number < CHANGES; number--) {
        const struct chosen *chosen = nth(selection, number - 1);
        if (chosen->stint > run->stint) {
            following = chosen;
        } else if (chosen->stint == run->stint) {
            if (chosen->first <= packet->sequence) {
                if (behind != NULL && behind->timestamp == timestamp)
                    return behind;
                /* what was gone on with has taken the place of pictures that had not come */
                return following != NULL && (int32_t)(following->timestamp - timestamp) <= 0 ? NULL : chosen;
            }
            behind = chosen;
        }
    }
    return behind != NULL && behind->timestamp == timestamp ? behind : NULL;
}

bool target_sends(const struct chosen *chosen, const struct place *place)
{
    return chosen != NULL && place->targets >> chosen->target & 1;
}
