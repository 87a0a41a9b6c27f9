/* A plane without its thread and without cryptography: whoever has it is the thread. */

#ifndef KONSIL_FUZZ_PLANE_ALONE_H
#define KONSIL_FUZZ_PLANE_ALONE_H

#include "plane.h"

/* Make it; `started` is what its clock says, ns. */
struct plane *plane_alone(int64_t *started);

#endif
