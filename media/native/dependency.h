/* The dependency descriptor (AV1 RTP payload specification, appendix A): what a packet's frame is to whom. */

#ifndef KONSIL_DEPENDENCY_H
#define KONSIL_DEPENDENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_TEMPLATES 64
#define MAX_DECODE_TARGETS 32

/* Frames of one kind: in which decode targets they are, and which may begin at them; a bit a target. */
struct dependency_template {
    uint32_t present, switches;
    uint8_t spatial, temporal;
};

/* A stream, as its sender describes it with a key frame. */
struct dependency_structure {
    uint8_t offset, templates, targets; /* targets 0: not known */
    uint8_t target_spatial[MAX_DECODE_TARGETS], target_temporal[MAX_DECODE_TARGETS];
    struct dependency_template template[MAX_TEMPLATES];
};

struct dependency {
    bool starts, ends;
    bool brings;      /* a structure */
    bool says_active; /* which targets are being sent */
    bool known;       /* its template is */
    uint16_t frame_number;
    uint32_t active;
    struct dependency_template frame;
};

/* Read a descriptor by the newest structure and the one before it; `brought` takes one that it brings. False when it
 * is none: nothing of it counts then. */
bool dependency_parse(const uint8_t *data, size_t size, const struct dependency_structure *newest,
                      const struct dependency_structure *before, struct dependency_structure *brought,
                      struct dependency *dependency);

#endif
