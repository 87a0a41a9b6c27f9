/* What Python sees of frames.h: `_native.walk_tap` and `_native.Joiner`. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "types.h"

enum { SURE = 1, REFUSED = 2 }; /* media/native/frames.py */

static int add_run(PyObject *runs, uint32_t producer, const struct walked *found, size_t count)
{
    if (count == 0)
        return 0;
    PyObject *run = Py_BuildValue("Iy#", (unsigned)producer, (const char *)found, (Py_ssize_t)(count * sizeof *found));
    int result = run != NULL ? PyList_Append(runs, run) : -1;
    Py_XDECREF(run);
    return result;
}

PyObject *walk_tap(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    Py_buffer data;
    unsigned long long base;
    if (!PyArg_ParseTuple(arguments, "y*K", &data, &base))
        return NULL;
    size_t size = (size_t)data.len, at = 0, count = 0;
    PyObject *runs = PyList_New(0), *result = NULL;
    /* a packet that can be read takes 36 bytes at least */
    struct walked *found = malloc((size / 36 + 1) * sizeof *found);
    if (runs == NULL || found == NULL) {
        PyErr_NoMemory();
        goto end;
    }
    uint32_t producer, current = 0;
    unsigned unreadable = 0;
    enum walk walk;
    while ((walk = walk_next(data.buf, size, &at, &producer, &found[count])) != WALK_ENDS && walk != WALK_LIES) {
        if (walk == WALK_UNREADABLE) {
            unreadable++;
            continue;
        }
        found[count].offset += base;
        if (count > 0 && producer != current) {
            struct walked next = found[count];
            if (add_run(runs, current, found, count) != 0)
                goto end;
            found[0] = next;
            count = 0;
        }
        current = producer;
        count++;
    }
    if (add_run(runs, current, found, count) == 0)
        result = Py_BuildValue("OIO", runs, unreadable, walk == WALK_ENDS ? Py_True : Py_False);
end:
    free(found);
    Py_XDECREF(runs);
    PyBuffer_Release(&data);
    return result;
}

struct joiner_object {
    PyObject_HEAD
    struct joiner joiner;
};

static int joiner_init(PyObject *object, PyObject *arguments, PyObject *keywords)
{
    struct joiner_object *self = (struct joiner_object *)object;
    static char *names[] = {"", "", NULL};
    int codec, payload_type;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "ii", names, &codec, &payload_type))
        return -1;
    if (codec < 0 || codec >= CODECS || payload_type < 0 || payload_type > 127) {
        PyErr_SetString(PyExc_ValueError, "there is no such codec or payload type");
        return -1;
    }
    joiner_free(&self->joiner);
    joiner_begin(&self->joiner, (enum codec)codec, (uint8_t)payload_type);
    return 0;
}

static void joiner_dealloc(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    joiner_free(&((struct joiner_object *)object)->joiner);
    type->tp_free(object);
    Py_DECREF(type);
}

static PyObject *keep_method(PyObject *object, PyObject *unit)
{
    struct joiner *joiner = &((struct joiner_object *)object)->joiner;
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(unit, &data, &size) != 0)
        return NULL;
    joiner_keep(joiner, (const uint8_t *)data, (size_t)size);
    if (joiner->no_memory) {
        joiner->no_memory = false;
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}

/* A picture as (bytes, whether a decoder can begin at it); no bytes where it is not whole, None where it is none. */
static PyObject *joined(struct joiner *joiner, enum join join)
{
    if (joiner->no_memory) {
        joiner->no_memory = false;
        return PyErr_NoMemory();
    }
    if (join == JOIN_NOTHING)
        Py_RETURN_NONE;
    if (join == JOIN_REFUSED)
        return Py_BuildValue("yO", "", Py_False);
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)joined_size(joiner));
    if (data == NULL)
        return NULL;
    joined_copy(joiner, (uint8_t *)PyBytes_AS_STRING(data));
    return Py_BuildValue("NO", data, joiner->key ? Py_True : Py_False);
}

static PyObject *join_all(struct joiner *joiner, const Py_buffer *buffers)
{
    const uint8_t *data = buffers[0].buf, *flags = buffers[4].buf;
    const uint32_t *places = buffers[1].buf, *counts = buffers[3].buf;
    const uint16_t *sizes = buffers[2].buf;
    size_t packets = (size_t)buffers[2].len / sizeof *sizes, pictures = (size_t)buffers[4].len;
    size_t left = packets;
    bool fit = joiner->format != NULL; /* made by __new__ alone it has none */
    fit = fit && (size_t)buffers[1].len == packets * sizeof *places;
    fit = fit && (size_t)buffers[3].len == pictures * sizeof *counts;
    /* an empty buffer may be anywhere */
    fit = fit && (packets == 0 || ((uintptr_t)places % sizeof *places == 0 && (uintptr_t)sizes % sizeof *sizes == 0));
    fit = fit && (pictures == 0 || (uintptr_t)counts % sizeof *counts == 0);
    for (size_t i = 0; fit && i < packets; i++)
        fit = sizes[i] <= (size_t)buffers[0].len && places[i] <= (size_t)buffers[0].len - sizes[i];
    for (size_t i = 0; fit && i < pictures; i++) {
        fit = counts[i] <= left;
        left -= fit ? counts[i] : 0;
    }
    if (!fit || left != 0) {
        PyErr_SetString(PyExc_ValueError, "the arrays do not describe packets within the data");
        return NULL;
    }
    PyObject *list = PyList_New((Py_ssize_t)pictures);
    for (size_t i = 0, at = 0; list != NULL && i < pictures; at += counts[i], i++) {
        enum join join =
            join_picture(joiner, data, places + at, sizes + at, counts[i], flags[i] & SURE, flags[i] & REFUSED);
        PyObject *picture = joined(joiner, join);
        if (picture == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, picture);
    }
    return list;
}

static PyObject *join_method(PyObject *object, PyObject *arguments)
{
    Py_buffer buffers[5];
    if (!PyArg_ParseTuple(arguments, "y*y*y*y*y*", &buffers[0], &buffers[1], &buffers[2], &buffers[3], &buffers[4]))
        return NULL;
    PyObject *list = join_all(&((struct joiner_object *)object)->joiner, buffers);
    for (int i = 0; i < 5; i++)
        PyBuffer_Release(&buffers[i]);
    return list;
}

static PyMethodDef methods[] = {
    {"keep", keep_method, METH_O, NULL},
    {"join", join_method, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, joiner_init},
    {Py_tp_dealloc, joiner_dealloc},
    {Py_tp_methods, methods},
    {0, NULL},
};

PyType_Spec joiner_spec = {
    .name = "media.native._native.Joiner",
    .basicsize = sizeof(struct joiner_object),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};
