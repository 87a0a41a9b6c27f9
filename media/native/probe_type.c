/* The probe's face towards Python: `_native.Probe`. What is called here at control rate may wait for a socket's
 * mutex, which is held for microseconds. */

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "plane.h"
#include "probe.h"
#include "segments.h"
#include "types.h"

#define EVENT_BYTES (4 << 20)
#define SOCKET_BUFFER (4 << 20)

struct probe_object {
    PyObject_HEAD
    struct probe *probe;
};

static bool one_exists;

static void free_sender(struct probe_sender *sender)
{
    free(sender->data);
    free(sender->payloads);
    free(sender->frames);
    free(sender->history);
    free(sender->history_sizes);
    free(sender->history_numbers);
    free(sender);
}

static int probe_init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    struct probe_object *self = (struct probe_object *)object;
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "", names))
        return -1;
    if (one_exists || self->probe != NULL) {
        PyErr_SetString(PyExc_ValueError, "a process has one probe at a time");
        return -1;
    }
    struct probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL || !byte_ring_make(&probe->events, EVENT_BYTES)) {
        free(probe);
        PyErr_NoMemory();
        return -1;
    }
    probe->epoll = epoll_create1(EPOLL_CLOEXEC);
    probe->event_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_create(&probe->receiver, NULL, probe_receive, probe);
    pthread_create(&probe->transmitter, NULL, probe_transmit, probe);
    self->probe = probe;
    one_exists = true;
    return 0;
}

static PyObject *probe_close(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct probe_object *self = (struct probe_object *)object;
    struct probe *probe = self->probe;
    if (probe == NULL)
        Py_RETURN_NONE;
    self->probe = NULL;
    probe->stopping = true;
    Py_BEGIN_ALLOW_THREADS
    pthread_join(probe->receiver, NULL);
    pthread_join(probe->transmitter, NULL);
    Py_END_ALLOW_THREADS
    for (int i = 0; i < probe->sender_count; i++)
        free_sender(probe->senders[i]);
    for (int i = 0; i < probe->socket_count; i++) {
        close(probe->sockets[i]->descriptor);
        pthread_mutex_destroy(&probe->sockets[i]->sending);
        free(probe->sockets[i]);
    }
    close(probe->epoll);
    close(probe->event_event);
    byte_ring_free(&probe->events);
    free(probe);
    one_exists = false;
    Py_RETURN_NONE;
}

static void probe_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    Py_XDECREF(probe_close(object, NULL));
    type->tp_free(object);
    Py_DECREF(type);
}

static struct probe *probe_of(PyObject *object)
{
    struct probe *probe = ((struct probe_object *)object)->probe;
    if (probe == NULL)
        PyErr_SetString(PyExc_ValueError, "the probe is closed");
    return probe;
}

static struct probe_socket *socket_of(struct probe *probe, int index)
{
    if (index >= 0 && index < probe->socket_count)
        return probe->sockets[index];
    PyErr_Format(PyExc_ValueError, "the probe has no socket %d", index);
    return NULL;
}

static PyObject *open_method(PyObject *object, PyObject *arguments)
{
    struct probe *probe = probe_of(object);
    const char *host;
    struct address address;
    struct sockaddr_storage name;
    if (probe == NULL || !PyArg_ParseTuple(arguments, "s", &host))
        return NULL;
    if (!address_from_text(&address, host, 0))
        return PyErr_Format(PyExc_ValueError, "the host %s is not an address in numbers", host);
    if (probe->socket_count == PROBE_SOCKETS)
        return PyErr_Format(PyExc_ValueError, "a probe has at most %d sockets", PROBE_SOCKETS);
    socklen_t size = address_to_socket(&address, AF_INET, &name);
    if (size == 0)
        size = address_to_socket(&address, AF_INET6, &name);
    struct probe_socket *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return PyErr_NoMemory();
    opened->descriptor = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int on = 1, buffer = SOCKET_BUFFER;
    if (setsockopt(opened->descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
        setsockopt(opened->descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(opened->descriptor, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    setsockopt(opened->descriptor, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    setsockopt(opened->descriptor, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    setsockopt(opened->descriptor, SOL_UDP, UDP_GRO, &on, sizeof on);
    if (bind(opened->descriptor, (struct sockaddr *)&name, size) != 0) {
        close(opened->descriptor);
        free(opened);
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    size = sizeof name;
    getsockname(opened->descriptor, (struct sockaddr *)&name, &size);
    address_from_socket(&opened->address, (struct sockaddr *)&name);
    pthread_mutex_init(&opened->sending, NULL);
    int index = probe->socket_count;
    probe->sockets[index] = opened;
    probe->socket_count = index + 1;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)index};
    epoll_ctl(probe->epoll, EPOLL_CTL_ADD, opened->descriptor, &event);
    return Py_BuildValue("(ii)", index, (int)opened->address.port);
}

static PyObject *send_method(PyObject *object, PyObject *arguments)
{
    struct probe *probe = probe_of(object);
    int index;
    const char *host, *data;
    Py_ssize_t size;
    unsigned short port;
    struct address address;
    struct sockaddr_storage name;
    if (probe == NULL || !PyArg_ParseTuple(arguments, "isHy#", &index, &host, &port, &data, &size))
        return NULL;
    struct probe_socket *socket = socket_of(probe, index);
    if (socket == NULL)
        return NULL;
    if (!address_from_text(&address, host, port))
        return PyErr_Format(PyExc_ValueError, "the host %s is not an address in numbers", host);
    socklen_t length = address_to_socket(&address, AF_INET, &name);
    if (length == 0)
        length = address_to_socket(&address, AF_INET6, &name);
    if (sendto(socket->descriptor, data, (size_t)size, 0, (struct sockaddr *)&name, length) < 0)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

static PyObject *set_keys_method(PyObject *object, PyObject *arguments)
{
    struct probe *probe = probe_of(object);
    int index, capture_time_id, wide_id;
    unsigned long long receive, send;
    const char *host;
    unsigned short port;
    struct address address;
    if (probe == NULL ||
        !PyArg_ParseTuple(arguments, "iKKsHii", &index, &receive, &send, &host, &port, &capture_time_id, &wide_id))
        return NULL;
    struct probe_socket *socket = socket_of(probe, index);
    if (socket == NULL)
        return NULL;
    if (!address_from_text(&address, host, port) || capture_time_id < 0 || wide_id < 0 || wide_id > 14 ||
        (capture_time_id > 14 && capture_time_id != PROBE_STAMP_IN_PAYLOAD))
        return PyErr_Format(PyExc_ValueError, "an address in numbers, and an extension id of 1 to 14, 0 or 255");
    pthread_mutex_lock(&socket->sending);
    socket->remote_size = address_to_socket(&address, AF_INET, &socket->remote);
    if (socket->remote_size == 0)
        socket->remote_size = address_to_socket(&address, AF_INET6, &socket->remote);
    socket->capture_time_id = capture_time_id;
    socket->wide_id = wide_id;
    atomic_store_explicit(&socket->send_session, (void *)(uintptr_t)send, memory_order_release);
    atomic_store_explicit(&socket->receive_session, (void *)(uintptr_t)receive, memory_order_release);
    pthread_mutex_unlock(&socket->sending);
    Py_RETURN_NONE;
}

static PyObject *send_rtcp_method(PyObject *object, PyObject *arguments)
{
    struct probe *probe = probe_of(object);
    int index;
    const char *data;
    Py_ssize_t size;
    if (probe == NULL || !PyArg_ParseTuple(arguments, "iy#", &index, &data, &size))
        return NULL;
    struct probe_socket *socket = socket_of(probe, index);
    if (socket == NULL)
        return NULL;
    if (size < 8 || size > 1400 || socket->send_session == NULL)
        return PyErr_Format(PyExc_ValueError, "RTCP of 8 to 1,400 bytes, after set_keys");
    uint8_t room[1500];
    int length = (int)size;
    memcpy(room, data, (size_t)size);
    pthread_mutex_lock(&socket->sending);
    if (srtp.protect_rtcp(socket->send_session, room, &length) == SRTP_OK)
        sendto(socket->descriptor, room, (size_t)length, 0, (struct sockaddr *)&socket->remote, socket->remote_size);
    pthread_mutex_unlock(&socket->sending);
    Py_RETURN_NONE;
}

/* Copy a list of frames, each a list of payloads. */
static int read_frames(struct probe_sender *sender, PyObject *frames)
{
    Py_ssize_t frame_count = PyList_Size(frames);
    size_t payload_count = 0, bytes = 0;
    for (Py_ssize_t i = 0; i < frame_count; i++) {
        PyObject *frame = PyList_GET_ITEM(frames, i);
        Py_ssize_t count = PyList_Check(frame) ? PyList_GET_SIZE(frame) : 0;
        for (Py_ssize_t k = 0; k < count; k++) {
            PyObject *payload = PyList_GET_ITEM(frame, k);
            if (!PyBytes_Check(payload) || PyBytes_GET_SIZE(payload) > 1400)
                return -1;
            bytes += (size_t)PyBytes_GET_SIZE(payload);
        }
        if (count == 0)
            return -1;
        payload_count += (size_t)count;
    }
    if (frame_count <= 0 || bytes > UINT32_MAX)
        return -1;
    sender->data = malloc(bytes);
    sender->payloads = calloc(payload_count, sizeof *sender->payloads);
    sender->frames = calloc((size_t)frame_count + 1, sizeof *sender->frames);
    sender->history = malloc((size_t)PROBE_HISTORY * PROBE_PACKET);
    sender->history_sizes = calloc(PROBE_HISTORY, sizeof *sender->history_sizes);
    sender->history_numbers = calloc(PROBE_HISTORY, sizeof *sender->history_numbers);
    if (sender->data == NULL || sender->payloads == NULL || sender->frames == NULL || sender->history == NULL ||
        sender->history_sizes == NULL || sender->history_numbers == NULL)
        return -1;
    sender->frame_count = (uint32_t)frame_count;
    uint32_t offset = 0, number = 0;
    for (Py_ssize_t i = 0; i < frame_count; i++) {
        PyObject *frame = PyList_GET_ITEM(frames, i);
        sender->frames[i] = number;
        for (Py_ssize_t k = 0; k < PyList_GET_SIZE(frame); k++) {
            PyObject *payload = PyList_GET_ITEM(frame, k);
            uint16_t size = (uint16_t)PyBytes_GET_SIZE(payload);
            memcpy(sender->data + offset, PyBytes_AS_STRING(payload), size);
            sender->payloads[number++] = (struct probe_payload){offset, size};
            offset += size;
        }
    }
    sender->frames[frame_count] = number;
    return 0;
}

static void write_sender_extensions(struct probe_sender *sender, int mid_id, const char *mid, size_t mid_size,
                                    int capture_time_id)
{
    uint8_t *at = sender->extensions + 4;
    if (mid_id > 0 && mid_size > 0) {
        *at++ = (uint8_t)(mid_id << 4 | (int)(mid_size - 1));
        memcpy(at, mid, mid_size);
        at += mid_size;
    }
    if (capture_time_id == PROBE_STAMP_IN_PAYLOAD) {
        sender->stamp_in_payload = true;
    } else if (capture_time_id > 0) {
        *at++ = (uint8_t)(capture_time_id << 4 | 7);
        sender->stamp = (int)(at - sender->extensions);
        at += 8;
    }
    if (at == sender->extensions + 4)
        return;
    while ((at - sender->extensions) % 4 != 0)
        *at++ = 0;
    sender->extensions_size = (int)(at - sender->extensions);
    write_16(sender->extensions, 0xbede);
    write_16(sender->extensions + 2, (uint16_t)(sender->extensions_size / 4 - 1));
}

static PyObject *start_sending_method(PyObject *object, PyObject *arguments)
{
    struct probe *probe = probe_of(object);
    int index, mid_id, capture_time_id, bursts;
    unsigned ssrc, clock_rate;
    unsigned char payload_type;
    const char *mid;
    Py_ssize_t mid_size;
    PyObject *frames;
    double fps, offset;
    if (probe == NULL || !PyArg_ParseTuple(arguments, "iIBIis#iO!did", &index, &ssrc, &payload_type, &clock_rate,
                                           &mid_id, &mid, &mid_size, &capture_time_id, &PyList_Type, &frames, &fps,
                                           &bursts, &offset))
        return NULL;
    struct probe_socket *socket = socket_of(probe, index);
    if (socket == NULL)
        return NULL;
    if (probe->sender_count == PROBE_SENDERS || socket->send_session == NULL || mid_size > 16 || fps <= 0 ||
        bursts < 1)
        return PyErr_Format(PyExc_ValueError, "set_keys first, then at most %d streams", PROBE_SENDERS);
    struct probe_sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return PyErr_NoMemory();
    if (read_frames(sender, frames) != 0) {
        free_sender(sender);
        return PyErr_Format(PyExc_ValueError, "frames are lists of payloads of at most 1,400 bytes");
    }
    sender->socket = socket;
    sender->ssrc = ssrc;
    sender->payload_type = payload_type;
    sender->clock_rate = clock_rate;
    sender->fps = fps;
    sender->bursts = bursts;
    sender->sequence = 1;
    sender->start = monotonic_ns() + (int64_t)(offset * 1e9);
    sender->running = true;
    write_sender_extensions(sender, mid_id, mid, (size_t)mid_size, capture_time_id);
    int number = probe->sender_count;
    probe->senders[number] = sender;
    atomic_store_explicit(&probe->sender_count, number + 1, memory_order_release);
    return PyLong_FromLong(number);
}

static struct probe_sender *sender_of(PyObject *object, PyObject *number)
{
    struct probe *probe = probe_of(object);
    long index = probe != NULL ? PyLong_AsLong(number) : -1;
    if (probe == NULL || PyErr_Occurred())
        return NULL;
    if (index >= 0 && index < probe->sender_count)
        return probe->senders[index];
    PyErr_Format(PyExc_ValueError, "the probe sends no stream %ld", index);
    return NULL;
}

static PyObject *stop_sending_method(PyObject *object, PyObject *number)
{
    struct probe_sender *sender = sender_of(object, number);
    if (sender == NULL)
        return NULL;
    sender->running = false;
    Py_RETURN_NONE;
}

static PyObject *key_frame_method(PyObject *object, PyObject *number)
{
    struct probe_sender *sender = sender_of(object, number);
    if (sender == NULL)
        return NULL;
    sender->restart = true;
    Py_RETURN_NONE;
}

static PyObject *set_rate_method(PyObject *object, PyObject *arguments)
{
    PyObject *number;
    double fps;
    int bursts;
    if (!PyArg_ParseTuple(arguments, "Odi", &number, &fps, &bursts))
        return NULL;
    struct probe_sender *sender = sender_of(object, number);
    if (sender == NULL)
        return NULL;
    if (!(fps >= 1 && fps <= 100000) || bursts < 1 || bursts > 255)
        return PyErr_Format(PyExc_ValueError, "1 to 100,000 frames a second, in 1 to 255 bursts each");
    atomic_store(&sender->wanted_rate, (uint64_t)(fps * 1000) << 8 | (uint64_t)bursts);
    Py_RETURN_NONE;
}

/* (packets, octets, repeated, late bursts, last RTP timestamp, ns of its sending) */
static PyObject *sending_method(PyObject *object, PyObject *number)
{
    struct probe_sender *sender = sender_of(object, number);
    if (sender == NULL)
        return NULL;
    return Py_BuildValue("(KKKKKK)", (unsigned long long)counted(&sender->packets),
                         (unsigned long long)counted(&sender->octets),
                         (unsigned long long)counted(&sender->repeated), (unsigned long long)counted(&sender->late),
                         (unsigned long long)counted(&sender->last_timestamp),
                         (unsigned long long)counted(&sender->last_sent));
}

static PyObject *events_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct probe *probe = probe_of(object);
    if (probe == NULL)
        return NULL;
    uint64_t rung;
    ssize_t ignored = read(probe->event_event, &rung, sizeof rung);
    (void)ignored;
    PyObject *events = PyList_New(0);
    while (events != NULL && byte_ring_used(&probe->events) > 0) {
        PyObject *event = take_event(&probe->events);
        if (event == NULL || PyList_Append(events, event) != 0)
            Py_CLEAR(events);
        Py_XDECREF(event);
    }
    return events;
}

static PyObject *fileno_method(PyObject *object, PyObject *Py_UNUSED(ignored))
{
    struct probe *probe = probe_of(object);
    return probe != NULL ? PyLong_FromLong(probe->event_event) : NULL;
}

/* ([(ssrc, packets, bytes, lost, duplicates, reordered, unstamped)…], unauthenticated, other, queue drops,
 * latency) */
static PyObject *statistics_method(PyObject *object, PyObject *number)
{
    struct probe *probe = probe_of(object);
    long index = probe != NULL ? PyLong_AsLong(number) : -1;
    struct probe_socket *socket = probe != NULL && !PyErr_Occurred() ? socket_of(probe, (int)index) : NULL;
    if (socket == NULL)
        return NULL;
    int count = atomic_load_explicit(&socket->stream_count, memory_order_acquire);
    PyObject *streams = PyList_New(0), *latency = PyTuple_New(LATENCY_BUCKETS);
    for (int i = 0; i < count && streams != NULL; i++) {
        struct probe_stream *stream = &socket->streams[i];
        PyObject *row = Py_BuildValue(
            "(IKKKKKK)", stream->ssrc, (unsigned long long)counted(&stream->packets),
            (unsigned long long)counted(&stream->bytes), (unsigned long long)counted(&stream->lost),
            (unsigned long long)counted(&stream->duplicates), (unsigned long long)counted(&stream->reordered),
            (unsigned long long)counted(&stream->unstamped));
        if (row == NULL || PyList_Append(streams, row) != 0)
            Py_CLEAR(streams);
        Py_XDECREF(row);
    }
    for (int i = 0; i < LATENCY_BUCKETS && latency != NULL; i++)
        PyTuple_SET_ITEM(latency, i, PyLong_FromUnsignedLongLong(counted(&socket->latency[i])));
    return Py_BuildValue("(NKKKN)", streams, (unsigned long long)counted(&socket->unauthenticated),
                         (unsigned long long)counted(&socket->other),
                         (unsigned long long)counted(&socket->queue_drops), latency);
}

static PyMethodDef methods[] = {
    {"open", open_method, METH_VARARGS, NULL},
    {"send", send_method, METH_VARARGS, NULL},
    {"set_keys", set_keys_method, METH_VARARGS, NULL},
    {"send_rtcp", send_rtcp_method, METH_VARARGS, NULL},
    {"start_sending", start_sending_method, METH_VARARGS, NULL},
    {"stop_sending", stop_sending_method, METH_O, NULL},
    {"key_frame", key_frame_method, METH_O, NULL},
    {"set_rate", set_rate_method, METH_VARARGS, NULL},
    {"sending", sending_method, METH_O, NULL},
    {"events", events_method, METH_NOARGS, NULL},
    {"fileno", fileno_method, METH_NOARGS, NULL},
    {"statistics", statistics_method, METH_O, NULL},
    {"close", probe_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_init, probe_init}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, probe_dealloc},
    {Py_tp_methods, methods}, {0, NULL},
};

PyType_Spec probe_spec = {
    .name = "media.native._native.Probe",
    .basicsize = sizeof(struct probe_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
