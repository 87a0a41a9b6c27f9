/* The types of the extension module. */

#ifndef KONSIL_TYPES_H
#define KONSIL_TYPES_H

#include <Python.h>

extern PyType_Spec plane_spec, probe_spec, joiner_spec;

/* plane_type.c: take (kind, transport, (host, port) or None, time, subject, data) out of a ring of events */
struct byte_ring;
PyObject *take_event(struct byte_ring *ring);

/* plane_type.c: shard_group(count) -> what the planes of one port have in common */
PyObject *shard_group(PyObject *module, PyObject *count);

/* bare.c: bare_send(addresses, sizes, bursts, buffer, interval) -> (packets, CPU ns) */
PyObject *bare_send(PyObject *module, PyObject *arguments);
PyObject *bare_drain(PyObject *module, PyObject *descriptors);

/* frames_type.c: walk_tap(data, base) -> ([(producer, places)], unreadable, whether all was walked through) */
PyObject *walk_tap(PyObject *module, PyObject *arguments);

#endif
