/* The plane's face towards Python: `_native.Plane`. Arguments are checked by media.native.plane, which keeps
 * the capsules; here they become commands. Nothing here waits for the plane's thread but a full command ring.
 * Producers and consumers are in members_type.c, counters in statistics_type.c. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plane_type.h"
#include "types.h"

const char *const CAPSULES[OBJECT_KINDS] = {"konsil.transport", "konsil.producer", "konsil.consumer",
                                                   "konsil.block", "konsil.stream"};

#define GROUP "konsil.shard_group"

bool started(PyObject *object)
{
    if (((struct plane_object *)object)->plane == NULL)
        PyErr_SetString(PyExc_ValueError, "the plane has not been started");
    return ((struct plane_object *)object)->plane != NULL;
}

bool running(struct plane_object *self)
{
    if (!started((PyObject *)self))
        return false;
    if (self->closed)
        PyErr_SetString(PyExc_ValueError, "the plane is closed");
    return !self->closed;
}

void *object_of(PyObject *capsule, enum object_kind kind)
{
    return PyCapsule_GetPointer(capsule, CAPSULES[kind]);
}

PyObject *push(struct plane_object *self, struct command command)
{
    /* the plane empties the ring within microseconds; it never waits for the GIL, so waiting with it is safe */
    struct timespec moment = {0, 50000};
    while (!commands_push(self->plane, &command))
        nanosleep(&moment, NULL);
    Py_RETURN_NONE;
}

static struct block *block_of(struct plane_object *self, const void *data, size_t size)
{
    struct block *block = object_make(self->plane, OBJECT_BLOCK, sizeof *block + size);
    if (block == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    block->size = size;
    if (data != NULL)
        memcpy(block->data, data, size);
    return block;
}

static void group_dealloc(PyObject *capsule)
{
    shard_group_free(PyCapsule_GetPointer(capsule, GROUP));
}

PyObject *shard_group(PyObject *Py_UNUSED(module), PyObject *count)
{
    long shards = PyLong_AsLong(count);
    if (PyErr_Occurred())
        return NULL;
    if (shards < 1 || shards > SHARDS_AT_MOST)
        return PyErr_Format(PyExc_ValueError, "there are 1 to %d shards", SHARDS_AT_MOST);
    struct shard_group *group = shard_group_make((int)shards);
    if (group == NULL)
        return PyErr_SetFromErrno(PyExc_OSError);
    return PyCapsule_New(group, GROUP, group_dealloc);
}

static int plane_init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    struct plane_object *self = (struct plane_object *)object;
    static char *names[] = {"host", "port", "buffer", "tap_bytes", "event_bytes", "stream_patience", "group", "shard", NULL};
    const char *host, *error;
    unsigned short port;
    long long patience;
    Py_ssize_t tap_bytes, event_bytes;
    struct plane_options options = {.shard = 0};
    PyObject *group = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "sHinnL|Oi", names, &host, &port, &options.buffer,
                                     &tap_bytes, &event_bytes, &patience, &group, &options.shard))
        return -1;
    if (self->plane != NULL) {
        PyErr_SetString(PyExc_ValueError, "the plane is running already");
        return -1;
    }
    if (!address_from_text(&options.address, host, port)) {
        PyErr_Format(PyExc_ValueError, "the host %s is not an address in numbers", host);
        return -1;
    }
    if (group != Py_None) {
        options.group = PyCapsule_GetPointer(group, GROUP);
        if (options.group == NULL)
            return -1;
        if (options.shard < 0 || options.shard >= options.group->count) {
            PyErr_SetString(PyExc_ValueError, "the group has no such shard");
            return -1;
        }
        self->group = Py_NewRef(group);
    }
    options.tap_bytes = (size_t)tap_bytes;
    options.event_bytes = (size_t)event_bytes;
    options.stream_patience = patience;
    if (srtp.protect == NULL) {
        PyErr_SetString(PyExc_ValueError, "set_srtp comes first");
        return -1;
    }
    self->plane = plane_make(&options, &error);
    if (self->plane == NULL) {
        PyErr_Format(PyExc_OSError, "the plane cannot start: %s: %s", error, strerror(errno));
        return -1;
    }
    return 0;
}

/* Free what the plane has given back. Append (REMOVED, transport, None, 0, 0, 0, b"") to `events` where given. */
static int bury(struct plane_object *self, PyObject *events)
{
    int result = 0;
    struct retired *next;
    for (struct retired *object = graveyard_take(&self->plane->graveyard); object != NULL; object = next) {
        next = object->next;
        if (object->kind == OBJECT_TRANSPORT && events != NULL && result == 0) {
            unsigned long long id = ((struct transport *)object)->id;
            PyObject *event = Py_BuildValue("(iKOLKy)", EVENT_REMOVED, id, Py_None, 0LL, 0ULL, "");
            result = event == NULL ? -1 : PyList_Append(events, event);
            Py_XDECREF(event);
        }
        object_free(self->plane, object);
    }
    return result;
}

static PyObject *plane_close_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct plane_object *self = (struct plane_object *)object;
    if (self->plane != NULL && !self->closed) {
        clockid_t clock;
        struct timespec used;
        if (pthread_getcpuclockid(self->plane->thread, &clock) == 0 && clock_gettime(clock, &used) == 0)
            self->cpu_ns = (uint64_t)(used.tv_sec * SECOND + used.tv_nsec);
        self->closed = true;
        Py_BEGIN_ALLOW_THREADS
        plane_close(self->plane);
        Py_END_ALLOW_THREADS
        bury(self, NULL);
#ifdef KONSIL_DEBUG
        for (int kind = 0; kind < OBJECT_KINDS; kind++)
            assert(self->plane->live[kind] == 0);
#endif
    }
    Py_RETURN_NONE;
}

static void plane_dealloc(PyObject *object)
{
    struct plane_object *self = (struct plane_object *)object;
    PyTypeObject *type = Py_TYPE(object);
    if (self->plane != NULL) {
        Py_XDECREF(plane_close_method(object, NULL));
        plane_free(self->plane);
    }
    Py_XDECREF(self->group); /* it outlives its planes */
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *add_transport_method(PyObject *object, PyObject *id)
{
    struct plane_object *self = (struct plane_object *)object;
    if (!running(self))
        return NULL;
    struct transport *transport = object_make(self->plane, OBJECT_TRANSPORT, sizeof *transport);
    if (transport == NULL)
        return PyErr_NoMemory();
    transport->id = PyLong_AsUnsignedLongLong(id);
    PyObject *capsule = PyErr_Occurred() ? NULL : PyCapsule_New(transport, CAPSULES[OBJECT_TRANSPORT], NULL);
    if (capsule == NULL) {
        object_free(self->plane, &transport->retired);
        return NULL;
    }
    Py_DECREF(push(self, (struct command){.kind = COMMAND_ADD_TRANSPORT, .subject = transport}));
    return capsule;
}

static PyObject *validate_address_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    const char *host;
    unsigned short port;
    int tcp, selected;
    struct command command = {.kind = COMMAND_VALIDATE_ADDRESS};
    if (!running(self) || !PyArg_ParseTuple(arguments, "OsHpp", &capsule, &host, &port, &tcp, &selected))
        return NULL;
    if ((command.subject = object_of(capsule, OBJECT_TRANSPORT)) == NULL)
        return NULL;
    if (!address_from_text(&command.address, host, port))
        return PyErr_Format(PyExc_ValueError, "the host %s is not an address in numbers", host);
    command.address.tcp = tcp != 0;
    command.flag = selected != 0;
    return push(self, command);
}

static PyObject *set_keys_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    unsigned long long receive, send;
    struct command command = {.kind = COMMAND_SET_KEYS};
    if (!running(self) || !PyArg_ParseTuple(arguments, "OKK", &capsule, &receive, &send))
        return NULL;
    if ((command.subject = object_of(capsule, OBJECT_TRANSPORT)) == NULL)
        return NULL;
    command.receive_session = (void *)(uintptr_t)receive;
    command.send_session = (void *)(uintptr_t)send;
    return push(self, command);
}

PyObject *remove_one(PyObject *object, PyObject *capsule, enum object_kind kind, enum command_kind command)
{
    struct plane_object *self = (struct plane_object *)object;
    void *subject = running(self) ? object_of(capsule, kind) : NULL;
    return subject == NULL ? NULL : push(self, (struct command){.kind = command, .subject = subject});
}

static PyObject *remove_transport_method(PyObject *object, PyObject *capsule)
{
    return remove_one(object, capsule, OBJECT_TRANSPORT, COMMAND_REMOVE_TRANSPORT);
}

static PyObject *inject_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule, *packets;
    long long time;
    if (!running(self) || !PyArg_ParseTuple(arguments, "OOL", &capsule, &packets, &time))
        return NULL;
    struct producer *producer = object_of(capsule, OBJECT_PRODUCER);
    PyObject *sequence = producer != NULL ? PySequence_Fast(packets, "packets must be a sequence") : NULL;
    if (sequence == NULL)
        return NULL;
    Py_ssize_t count = PySequence_Fast_GET_SIZE(sequence);
    size_t total = 0;
    struct block *block = NULL;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *packet = PySequence_Fast_GET_ITEM(sequence, i);
        if (!PyBytes_Check(packet) || PyBytes_GET_SIZE(packet) > MAX_DATAGRAM) {
            PyErr_SetString(PyExc_ValueError, "an injected packet is bytes, at most 1,452 of them");
            goto done;
        }
        total += 2 + (size_t)PyBytes_GET_SIZE(packet);
    }
    if ((block = block_of(self, NULL, total)) == NULL)
        goto done;
    uint8_t *at = block->data;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *packet = PySequence_Fast_GET_ITEM(sequence, i);
        size_t size = (size_t)PyBytes_GET_SIZE(packet);
        write_16(at, (uint16_t)size);
        memcpy(at + 2, PyBytes_AS_STRING(packet), size);
        at += 2 + size;
    }
done:
    Py_DECREF(sequence);
    if (block == NULL)
        return NULL;
    return push(self, (struct command){.kind = COMMAND_INJECT, .subject = producer, .block = block, .time = time});
}

static PyObject *send_datagram_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    const char *host, *data;
    Py_ssize_t size;
    unsigned short port;
    int tcp;
    struct command command = {.kind = COMMAND_SEND_DATAGRAM};
    if (!running(self) || !PyArg_ParseTuple(arguments, "sHpy#", &host, &port, &tcp, &data, &size))
        return NULL;
    if (!address_from_text(&command.address, host, port))
        return PyErr_Format(PyExc_ValueError, "the host %s is not an address in numbers", host);
    command.address.tcp = tcp != 0;
    command.block = block_of(self, data, (size_t)size);
    return command.block == NULL ? NULL : push(self, command);
}

static PyObject *adopt_stream_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    int socket;
    const char *host, *first;
    unsigned short port;
    Py_ssize_t size;
    struct command command = {.kind = COMMAND_ADOPT_STREAM};
    if (!running(self) || !PyArg_ParseTuple(arguments, "isHy#", &socket, &host, &port, &first, &size))
        return NULL;
    if (size > MAX_DATAGRAM || !address_from_text(&command.address, host, port))
        return PyErr_Format(PyExc_ValueError, "an address in numbers, and at most %d bytes", MAX_DATAGRAM);
    command.address.tcp = true;
    command.subject = stream_make(self->plane, socket, &command.address, (const uint8_t *)first, (size_t)size);
    return command.subject == NULL ? PyErr_SetFromErrno(PyExc_OSError) : push(self, command);
}

static PyObject *forget_address_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    const char *host;
    unsigned short port;
    struct command command = {.kind = COMMAND_FORGET_ADDRESS};
    if (!running(self) || !PyArg_ParseTuple(arguments, "sH", &host, &port))
        return NULL;
    if (!address_from_text(&command.address, host, port))
        return PyErr_Format(PyExc_ValueError, "the host %s is not an address in numbers", host);
    return push(self, command);
}

static PyObject *send_to_peer(PyObject *object, PyObject *arguments, enum command_kind kind)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    const char *data;
    Py_ssize_t size;
    struct command command = {.kind = kind};
    if (!running(self) || !PyArg_ParseTuple(arguments, "Oy#", &capsule, &data, &size))
        return NULL;
    if ((command.subject = object_of(capsule, OBJECT_TRANSPORT)) == NULL)
        return NULL;
    if (size > MAX_DATAGRAM)
        return PyErr_Format(PyExc_ValueError, "a datagram has at most %d bytes", MAX_DATAGRAM);
    command.block = block_of(self, data, (size_t)size);
    return command.block == NULL ? NULL : push(self, command);
}

static PyObject *send_to_method(PyObject *object, PyObject *arguments)
{
    return send_to_peer(object, arguments, COMMAND_SEND_TO);
}

static PyObject *send_rtcp_method(PyObject *object, PyObject *arguments)
{
    return send_to_peer(object, arguments, COMMAND_SEND_RTCP);
}

PyObject *take_event(struct byte_ring *ring)
{
    struct event_header header;
    byte_ring_peek(ring, 0, &header, sizeof header);
    PyObject *data = PyBytes_FromStringAndSize(NULL, header.size);
    if (data == NULL)
        return NULL;
    byte_ring_peek(ring, sizeof header, PyBytes_AS_STRING(data), header.size);
    byte_ring_take(ring, sizeof header + header.size);
    PyObject *address = Py_NewRef(Py_None);
    if (header.has_address) {
        char host[INET6_ADDRSTRLEN];
        address_to_text(&header.address, host);
        Py_SETREF(address, Py_BuildValue("(siO)", host, (int)header.address.port,
                                         header.address.tcp ? Py_True : Py_False));
    }
    if (address == NULL) {
        Py_DECREF(data);
        return NULL;
    }
    return Py_BuildValue("(iKNLKN)", (int)header.kind, (unsigned long long)header.transport, address,
                         (long long)header.time, (unsigned long long)header.subject, data);
}

static PyObject *events_method(PyObject *object, PyObject *limit)
{
    struct plane_object *self = (struct plane_object *)object;
    long most = PyLong_AsLong(limit);
    if (PyErr_Occurred() || !running(self))
        return NULL;
    /* the bell is silenced first: what is written from now on rings it again */
    uint64_t rung;
    ssize_t ignored = read(self->plane->event_event, &rung, sizeof rung);
    (void)ignored;
    PyObject *events = PyList_New(0);
    if (events == NULL)
        return NULL;
    while (PyList_GET_SIZE(events) < most && byte_ring_used(&self->plane->events) > 0) {
        PyObject *event = take_event(&self->plane->events);
        if (event == NULL || PyList_Append(events, event) != 0) {
            Py_XDECREF(event);
            Py_DECREF(events);
            return NULL;
        }
        Py_DECREF(event);
    }
    if (byte_ring_used(&self->plane->events) > 0)
        wake(self->plane->event_event);
    if (bury(self, events) != 0)
        Py_CLEAR(events);
    return events;
}

static PyObject *read_tap_method(PyObject *object, PyObject *limit)
{
    struct plane_object *self = (struct plane_object *)object;
    size_t most = PyLong_AsSize_t(limit);
    if (PyErr_Occurred() || !running(self))
        return NULL;
    struct byte_ring *ring = &self->plane->tap;
    size_t used = byte_ring_used(ring), whole = 0;
    while (whole < used) {
        uint8_t length[4];
        byte_ring_peek(ring, whole, length, sizeof length);
        size_t record = 4 + (size_t)read_32(length);
        if (whole + record > most)
            break;
        whole += record;
    }
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)whole);
    if (data != NULL) {
        byte_ring_peek(ring, 0, PyBytes_AS_STRING(data), whole);
        byte_ring_take(ring, whole);
    }
    return data;
}

/* The fields of media.plane.PlaneStatistics up to handed_over, in its order. */
static PyObject *statistics_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    if (!started(object))
        return NULL;
    struct plane_object *self = (struct plane_object *)object;
    struct plane *plane = self->plane;
    clockid_t clock;
    struct timespec used;
    uint64_t cpu_ns = self->cpu_ns;
    if (!self->closed && pthread_getcpuclockid(plane->thread, &clock) == 0 && clock_gettime(clock, &used) == 0)
        cpu_ns = (uint64_t)(used.tv_sec * SECOND + used.tv_nsec);
    return Py_BuildValue("(KKKKKKNNKnKK)", (unsigned long long)counted(&plane->packets_in),
                         (unsigned long long)counted(&plane->bytes_in),
                         (unsigned long long)counted(&plane->packets_out),
                         (unsigned long long)counted(&plane->bytes_out),
                         (unsigned long long)counted(&plane->send_calls),
                         (unsigned long long)counted(&plane->datagrams_in), counters_tuple(plane->drops, DROPS),
                         counters_tuple(plane->transit, TRANSIT_BUCKETS), (unsigned long long)cpu_ns,
                         (Py_ssize_t)byte_ring_used(&plane->tap),
                         (unsigned long long)counted(&plane->stream_count),
                         (unsigned long long)counted(&plane->handed_over));
}

static PyObject *live_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    if (!started(object))
        return NULL;
    int64_t *live = ((struct plane_object *)object)->plane->live;
    return Py_BuildValue("(LLLLL)", (long long)live[0], (long long)live[1], (long long)live[2], (long long)live[3],
                         (long long)live[4]);
}

static PyObject *fileno_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    if (!started(object))
        return NULL;
    return PyLong_FromLong(((struct plane_object *)object)->plane->event_event);
}

/* (host, port, receive buffer, send buffer, real-time, GSO) */
static PyObject *socket_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    if (!started(object))
        return NULL;
    struct plane *plane = ((struct plane_object *)object)->plane;
    char host[INET6_ADDRSTRLEN];
    address_to_text(&plane->address, host);
    return Py_BuildValue("(siiiOO)", host, (int)plane->address.port, plane->receive_buffer, plane->send_buffer,
                         plane->realtime ? Py_True : Py_False, plane->gso ? Py_True : Py_False);
}

static PyMethodDef methods[] = {
    {"fileno", fileno_method, METH_NOARGS, NULL},
    {"socket", socket_method, METH_NOARGS, NULL},
    {"add_transport", add_transport_method, METH_O, NULL},
    {"validate_address", validate_address_method, METH_VARARGS, NULL},
    {"set_keys", set_keys_method, METH_VARARGS, NULL},
    {"remove_transport", remove_transport_method, METH_O, NULL},
    {"add_producer", add_producer_method, METH_VARARGS, NULL},
    {"move_producer", move_producer_method, METH_VARARGS, NULL},
    {"remove_producer", remove_producer_method, METH_O, NULL},
    {"set_encoding", set_encoding_method, METH_VARARGS, NULL},
    {"set_timestamp_offset", set_timestamp_offset_method, METH_VARARGS, NULL},
    {"set_capture_offset", set_capture_offset_method, METH_VARARGS, NULL},
    {"set_tap", set_tap_method, METH_VARARGS, NULL},
    {"set_low_tap", set_low_tap_method, METH_VARARGS, NULL},
    {"add_consumer", add_consumer_method, METH_VARARGS, NULL},
    {"set_layer", set_layer_method, METH_VARARGS, NULL},
    {"set_paused", set_paused_method, METH_VARARGS, NULL},
    {"remove_consumer", remove_consumer_method, METH_O, NULL},
    {"set_round_trip", set_round_trip_method, METH_VARARGS, NULL},
    {"set_pacing", set_pacing_method, METH_VARARGS, NULL},
    {"probe", probe_method, METH_VARARGS, NULL},
    {"set_fec", set_fec_method, METH_VARARGS, NULL},
    {"inject", inject_method, METH_VARARGS, NULL},
    {"send_datagram", send_datagram_method, METH_VARARGS, NULL},
    {"send_to", send_to_method, METH_VARARGS, NULL},
    {"send_rtcp", send_rtcp_method, METH_VARARGS, NULL},
    {"events", events_method, METH_O, NULL},
    {"read_tap", read_tap_method, METH_O, NULL},
    {"statistics", statistics_method, METH_NOARGS, NULL},
    {"producer_statistics", producer_statistics_method, METH_O, NULL},
    {"consumer_statistics", consumer_statistics_method, METH_O, NULL},
    {"transport_statistics", transport_statistics_method, METH_O, NULL},
    {"forget_address", forget_address_method, METH_VARARGS, NULL},
    {"adopt_stream", adopt_stream_method, METH_VARARGS, NULL},
    {"live", live_method, METH_NOARGS, NULL},
    {"close", plane_close_method, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_init, plane_init}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, plane_dealloc},
    {Py_tp_methods, methods}, {0, NULL},
};

PyType_Spec plane_spec = {
    .name = "media.native._native.Plane",
    .basicsize = sizeof(struct plane_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
