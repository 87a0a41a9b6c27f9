/* What the kernel alone costs: the plane's sends without the plane, and readers at the other end, for
 * `python -m loadtests plane`. */

#define _GNU_SOURCE
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "plane.h"
#include "segments.h"
#include "types.h"

#define MAX_BURST 64
#define MAX_TARGETS 64

struct bare {
    int socket, targets, packets;
    struct sockaddr_storage names[MAX_TARGETS];
    socklen_t name_size;
    uint16_t sizes[MAX_BURST];
    uint8_t room[SEND_QUEUE][SEND_ROOM];
    struct iovec vectors[SEND_QUEUE];
    struct mmsghdr messages[SEND_QUEUE];
    struct segment_control controls[SEND_QUEUE];
};

static void flush(struct bare *bare, int messages)
{
    for (int sent = 0; sent < messages;) {
        int done = sendmmsg(bare->socket, bare->messages + sent, (unsigned)(messages - sent), 0);
        sent += done > 0 ? done : 1;
    }
}

/* Sleep until the next burst's time. */
static void keep_pace(int64_t *due, long long interval)
{
    *due += interval;
    struct timespec until = {*due / SECOND, *due % SECOND};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static uint64_t send_burst(struct bare *bare)
{
    int messages = 0, slot = 0;
    for (int target = 0; target < bare->targets; target++) {
        if (slot + bare->packets > SEND_QUEUE) {
            flush(bare, messages);
            messages = slot = 0;
        }
        for (int i = 0; i < bare->packets; i++)
            bare->vectors[slot + i] = (struct iovec){bare->room[slot + i], bare->sizes[i]};
        messages += segment(&bare->vectors[slot], bare->packets, true, &bare->names[target], bare->name_size,
                            &bare->messages[messages], &bare->controls[messages]);
        slot += bare->packets;
    }
    flush(bare, messages);
    return (uint64_t)(bare->targets * bare->packets);
}

static int64_t thread_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * SECOND + used.tv_nsec;
}

static int read_targets(struct bare *bare, PyObject *targets)
{
    bare->targets = (int)PySequence_Size(targets);
    for (int i = 0; i < bare->targets; i++) {
        PyObject *target = PySequence_GetItem(targets, i);
        const char *host;
        unsigned short port;
        struct address address;
        int ok = target != NULL && PyArg_ParseTuple(target, "sH", &host, &port) &&
                 address_from_text(&address, host, port);
        Py_XDECREF(target);
        if (!ok)
            return -1;
        bare->name_size = address_to_socket(&address, AF_INET, &bare->names[i]);
    }
    return 0;
}

static int read_sizes(struct bare *bare, PyObject *sizes)
{
    bare->packets = (int)PySequence_Size(sizes);
    for (int i = 0; i < bare->packets; i++) {
        PyObject *size = PySequence_GetItem(sizes, i);
        long value = size != NULL ? PyLong_AsLong(size) : -1;
        Py_XDECREF(size);
        if (value < 1 || value > MAX_DATAGRAM)
            return -1;
        bare->sizes[i] = (uint16_t)value;
    }
    return 0;
}

PyObject *bare_send(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    PyObject *targets, *sizes, *result = NULL;
    int bursts, buffer;
    long long interval; /* ns from burst to burst */
    if (!PyArg_ParseTuple(arguments, "OOiiL", &targets, &sizes, &bursts, &buffer, &interval))
        return NULL;
    if (PySequence_Size(targets) > MAX_TARGETS || PySequence_Size(sizes) > MAX_BURST)
        return PyErr_Format(PyExc_ValueError, "at most %d targets and %d sizes", MAX_TARGETS, MAX_BURST);
    struct bare *bare = calloc(1, sizeof *bare);
    if (bare == NULL)
        return PyErr_NoMemory();
    bare->socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setsockopt(bare->socket, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    if (read_targets(bare, targets) == 0 && read_sizes(bare, sizes) == 0 && bare->targets > 0 && bare->packets > 0) {
        uint64_t packets = 0;
        int64_t used;
        Py_BEGIN_ALLOW_THREADS
        used = thread_ns();
        int64_t due = monotonic_ns();
        for (int i = 0; i < bursts; i++) {
            packets += send_burst(bare);
            keep_pace(&due, interval);
        }
        used = thread_ns() - used;
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("(KL)", (unsigned long long)packets, (long long)used);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_ValueError, "addresses in numbers, and sizes of 1 to 1,500 bytes");
    }
    close(bare->socket);
    free(bare);
    return result;
}

/* A thread that reads and forgets whatever comes to a number of sockets, one datagram a buffer, as receivers
 * without UDP GRO do (browsers among them). */
struct drain {
    pthread_t thread;
    int epoll, targets;
    _Atomic bool stopping;
    _Atomic uint64_t received;
    int sockets[MAX_TARGETS];
    struct iovec vectors[MAX_BURST];
    struct mmsghdr messages[MAX_BURST];
    uint8_t room[MAX_BURST][2048];
};

static void *drain_run(void *argument)
{
    struct drain *drain = argument;
    while (!drain->stopping) {
        struct epoll_event events[MAX_TARGETS];
        int ready = epoll_wait(drain->epoll, events, MAX_TARGETS, 50);
        for (int i = 0; i < ready; i++) {
            int received = recvmmsg(events[i].data.fd, drain->messages, MAX_BURST, MSG_DONTWAIT, NULL);
            drain->received += received > 0 ? (uint64_t)received : 0;
        }
    }
    return NULL;
}

static void drain_free(PyObject *capsule)
{
    struct drain *drain = PyCapsule_GetPointer(capsule, "konsil.drain");
    drain->stopping = true;
    Py_BEGIN_ALLOW_THREADS
    pthread_join(drain->thread, NULL);
    Py_END_ALLOW_THREADS
    close(drain->epoll);
    free(drain);
}

PyObject *bare_drain(PyObject *Py_UNUSED(module), PyObject *descriptors)
{
    Py_ssize_t count = PySequence_Size(descriptors);
    if (count < 0 || count > MAX_TARGETS)
        return PyErr_Format(PyExc_ValueError, "at most %d sockets", MAX_TARGETS);
    struct drain *drain = calloc(1, sizeof *drain);
    if (drain == NULL)
        return PyErr_NoMemory();
    drain->epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < MAX_BURST; i++) {
        drain->vectors[i] = (struct iovec){drain->room[i], sizeof drain->room[i]};
        drain->messages[i].msg_hdr = (struct msghdr){.msg_iov = &drain->vectors[i], .msg_iovlen = 1};
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *descriptor = PySequence_GetItem(descriptors, i);
        struct epoll_event event = {.events = EPOLLIN};
        event.data.fd = descriptor != NULL ? (int)PyLong_AsLong(descriptor) : -1;
        Py_XDECREF(descriptor);
        epoll_ctl(drain->epoll, EPOLL_CTL_ADD, event.data.fd, &event);
    }
    PyObject *capsule = PyErr_Occurred() ? NULL : PyCapsule_New(drain, "konsil.drain", NULL);
    if (capsule == NULL || pthread_create(&drain->thread, NULL, drain_run, drain) != 0) {
        close(drain->epoll);
        free(drain);
        return capsule == NULL ? NULL : PyErr_SetFromErrno(PyExc_OSError);
    }
    PyCapsule_SetDestructor(capsule, drain_free);
    return capsule;
}
