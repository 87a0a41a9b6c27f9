/* Bits of a stranger: each is taken only while it is there, and each count has its limit before anything is indexed
 * by it. Frame differences and chains are passed over: whoever forwards needs neither. */

#include "dependency.h"

#include <string.h>

#define MANDATORY_BYTES 3
#define MAX_SPATIAL 3
#define MAX_TEMPORAL 7

/* Decode target indications. */
enum { NOT_PRESENT, DISCARDABLE, SWITCH, REQUIRED };

struct bits {
    const uint8_t *data;
    size_t at, end; /* in bits */
    bool ended;     /* more was wanted than there is */
};

static uint32_t take(struct bits *bits, unsigned count)
{
    if (count > bits->end - bits->at) {
        bits->ended = true;
        bits->at = bits->end;
        return 0;
    }
    uint32_t value = 0;
    for (; count > 0; count--, bits->at++)
        value = value << 1 | (bits->data[bits->at / 8] >> (7 - bits->at % 8) & 1u);
    return value;
}

/* ns(n): a number below `values`, the small ones in a bit less. */
static uint32_t take_non_symmetric(struct bits *bits, uint32_t values)
{
    unsigned width = 0;
    while (values >> width != 0)
        width++;
    uint32_t few = (1u << width) - values, value = take(bits, width - 1);
    return value < few ? value : (value << 1) - few + take(bits, 1);
}

static bool take_layers(struct bits *bits, struct dependency_structure *structure)
{
    uint8_t spatial = 0, temporal = 0;
    for (;;) {
        if (structure->templates == MAX_TEMPLATES || spatial > MAX_SPATIAL || temporal > MAX_TEMPORAL)
            return false;
        structure->template[structure->templates++] =
            (struct dependency_template){.spatial = spatial, .temporal = temporal};
        uint32_t next = take(bits, 2);
        if (bits->ended)
            return false;
        if (next == 3)
            return true;
        if (next == 1) {
            temporal++;
        } else if (next == 2) {
            spatial++;
            temporal = 0;
        }
    }
}

static void take_indications(struct bits *bits, int targets, struct dependency_template *frame)
{
    frame->present = frame->switches = 0;
    for (int target = 0; target < targets; target++) {
        uint32_t indication = take(bits, 2);
        frame->present |= (uint32_t)(indication != NOT_PRESENT) << target;
        frame->switches |= (uint32_t)(indication == SWITCH) << target;
    }
}

static void find_targets(struct dependency_structure *structure)
{
    for (int target = 0; target < structure->targets; target++) {
        for (int i = 0; i < structure->templates; i++) {
            const struct dependency_template *template = &structure->template[i];
            if (!(template->present >> target & 1))
                continue;
            if (template->spatial > structure->target_spatial[target])
                structure->target_spatial[target] = template->spatial;
            if (template->temporal > structure->target_temporal[target])
                structure->target_temporal[target] = template->temporal;
        }
    }
}

static bool take_structure(struct bits *bits, struct dependency_structure *structure)
{
    memset(structure, 0, sizeof *structure);
    structure->offset = (uint8_t)take(bits, 6);
    structure->targets = (uint8_t)(take(bits, 5) + 1);
    if (!take_layers(bits, structure))
        return false;
    for (int i = 0; i < structure->templates; i++)
        take_indications(bits, structure->targets, &structure->template[i]);
    for (int i = 0; i < structure->templates; i++)
        while (take(bits, 1) != 0)
            take(bits, 4);
    uint32_t chains = take_non_symmetric(bits, structure->targets + 1u);
    for (int target = 0; chains > 0 && target < structure->targets; target++)
        take_non_symmetric(bits, chains);
    for (uint32_t i = 0; i < structure->templates * chains; i++)
        take(bits, 4);
    if (take(bits, 1) != 0) {
        /* the spatial layers only ascend */
        for (int spatial = 0; spatial <= structure->template[structure->templates - 1].spatial; spatial++)
            take(bits, 32);
    }
    find_targets(structure);
    return !bits->ended;
}

static const struct dependency_template *find_template(const struct dependency_structure *structure, uint32_t id)
{
    if (structure == NULL || structure->targets == 0)
        return NULL;
    uint32_t index = (id - structure->offset) & 63;
    return index < structure->templates ? &structure->template[index] : NULL;
}

bool dependency_parse(const uint8_t *data, size_t size, const struct dependency_structure *newest,
                      const struct dependency_structure *before, struct dependency_structure *brought,
                      struct dependency *dependency)
{
    memset(dependency, 0, sizeof *dependency);
    if (size < MANDATORY_BYTES || size > 255)
        return false;
    struct bits bits = {.data = data, .end = 8 * size};
    dependency->starts = take(&bits, 1) != 0;
    dependency->ends = take(&bits, 1) != 0;
    uint32_t id = take(&bits, 6);
    dependency->frame_number = (uint16_t)take(&bits, 16);
    bool custom = false;
    const struct dependency_structure *structure = newest;
    if (size > MANDATORY_BYTES) {
        dependency->brings = take(&bits, 1) != 0;
        dependency->says_active = take(&bits, 1) != 0;
        custom = take(&bits, 1) != 0;
        take(&bits, 2); /* custom frame differences and chains stand behind all that is read here */
        if (dependency->brings) {
            if (!take_structure(&bits, brought))
                return false;
            structure = brought;
            before = NULL;
        }
        if (dependency->says_active) {
            if (structure == NULL || structure->targets == 0) {
                dependency->says_active = false;
                return !bits.ended;
            }
            dependency->active = take(&bits, structure->targets);
        } else if (dependency->brings) {
            dependency->says_active = true;
            dependency->active = UINT32_MAX >> (32 - structure->targets);
        }
    }
    const struct dependency_template *template = find_template(structure, id);
    if (template == NULL) {
        if (dependency->brings)
            return false; /* not even its own structure knows it */
        structure = before;
        template = find_template(before, id);
    }
    if (template != NULL) {
        dependency->known = true;
        dependency->frame = *template;
        if (custom)
            take_indications(&bits, structure->targets, &dependency->frame);
    }
    return !bits.ended;
}
