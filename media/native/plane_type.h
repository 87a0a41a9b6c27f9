/* What the files of `_native.Plane` share: its object, and how Python's arguments become commands. */

#ifndef KONSIL_PLANE_TYPE_H
#define KONSIL_PLANE_TYPE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "plane.h"

struct plane_object {
    PyObject_HEAD
    struct plane *plane;
    bool closed;
    PyObject *group; /* of shards; NULL: it is the only one */
    uint64_t cpu_ns; /* of the thread that has ended */
};

extern const char *const CAPSULES[OBJECT_KINDS];

/* plane_type.c; false or NULL with an exception */
bool started(PyObject *object);
bool running(struct plane_object *self);
void *object_of(PyObject *capsule, enum object_kind kind);
PyObject *push(struct plane_object *self, struct command command);
PyObject *remove_one(PyObject *object, PyObject *capsule, enum object_kind kind, enum command_kind command);

/* members_type.c */
PyObject *add_producer_method(PyObject *object, PyObject *arguments);
PyObject *move_producer_method(PyObject *object, PyObject *arguments);
PyObject *remove_producer_method(PyObject *object, PyObject *capsule);
PyObject *set_encoding_method(PyObject *object, PyObject *arguments);
PyObject *set_timestamp_offset_method(PyObject *object, PyObject *arguments);
PyObject *set_capture_offset_method(PyObject *object, PyObject *arguments);
PyObject *set_tap_method(PyObject *object, PyObject *arguments);
PyObject *set_low_tap_method(PyObject *object, PyObject *arguments);
PyObject *add_consumer_method(PyObject *object, PyObject *arguments);
PyObject *remove_consumer_method(PyObject *object, PyObject *capsule);
PyObject *set_layer_method(PyObject *object, PyObject *arguments);
PyObject *set_paused_method(PyObject *object, PyObject *arguments);

/* congestion_type.c; the first makes a part of a transport, unless it has it */
bool attach_part(struct plane_object *self, struct transport *transport, enum part part, size_t size);
PyObject *set_round_trip_method(PyObject *object, PyObject *arguments);
PyObject *set_pacing_method(PyObject *object, PyObject *arguments);
PyObject *probe_method(PyObject *object, PyObject *arguments);
PyObject *set_fec_method(PyObject *object, PyObject *arguments);
PyObject *transport_statistics_method(PyObject *object, PyObject *capsule);

/* statistics_type.c */
PyObject *counters_tuple(counter *counters, int count);
PyObject *producer_statistics_method(PyObject *object, PyObject *capsule);
PyObject *consumer_statistics_method(PyObject *object, PyObject *capsule);

#endif
