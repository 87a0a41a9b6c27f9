/* The methods of `_native.Plane` about producers and consumers. */

#include <stdlib.h>
#include <string.h>

#include "plane_type.h"

static int ids_of(PyObject *tuple, uint8_t *ids)
{
    if (PyTuple_GET_SIZE(tuple) != EXTENSIONS) {
        PyErr_Format(PyExc_ValueError, "there are %d header extensions", EXTENSIONS);
        return -1;
    }
    for (int i = 0; i < EXTENSIONS; i++)
        ids[i] = (uint8_t)PyLong_AsLong(PyTuple_GET_ITEM(tuple, i));
    return PyErr_Occurred() ? -1 : 0;
}

PyObject *remove_producer_method(PyObject *object, PyObject *capsule)
{
    return remove_one(object, capsule, OBJECT_PRODUCER, COMMAND_REMOVE_PRODUCER);
}

PyObject *remove_consumer_method(PyObject *object, PyObject *capsule)
{
    return remove_one(object, capsule, OBJECT_CONSUMER, COMMAND_REMOVE_CONSUMER);
}

/* Make room for what the encodings are to hold. */
static bool make_encodings(struct producer *producer, PyObject *encodings, size_t bytes, int64_t keep)
{
    producer->encoding_count = (int)PyTuple_GET_SIZE(encodings);
    if (producer->encoding_count < 1 || producer->encoding_count > MAX_ENCODINGS) {
        PyErr_Format(PyExc_ValueError, "a producer has 1 to %d encodings", MAX_ENCODINGS);
        return false;
    }
    for (int i = 0; i < producer->encoding_count; i++) {
        struct encoding *encoding = &producer->encodings[i];
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(encodings, i), "II", &encoding->ssrc, &encoding->rtx_ssrc))
            return false;
        encoding->producer = producer;
        encoding->index = (uint8_t)i;
        encoding->offset_known = i == 0;
        note(&encoding->told_offset, i == 0);
        encoding->active = ALL_TARGETS;
        if (!history_make(&encoding->history, bytes, keep)) {
            PyErr_NoMemory();
            return false;
        }
    }
    return true;
}

PyObject *add_producer_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    unsigned long long id;
    PyObject *transport, *encodings, *ids;
    unsigned codec, clock_rate, history_ms, history_bytes;
    unsigned char payload_type, rtx_payload_type, red_payload_type;
    int nack;
    if (!running(self) || !PyArg_ParseTuple(arguments, "KOIIBO!BpIIO!B", &id, &transport, &codec, &clock_rate,
                                            &payload_type, &PyTuple_Type, &encodings, &rtx_payload_type, &nack,
                                            &history_ms, &history_bytes, &PyTuple_Type, &ids, &red_payload_type))
        return NULL;
    if (codec >= CODECS || clock_rate == 0)
        return PyErr_Format(PyExc_ValueError, "a producer of these numbers cannot be");
    struct producer *producer = object_make(self->plane, OBJECT_PRODUCER, sizeof *producer);
    if (producer == NULL)
        return PyErr_NoMemory();
    producer->id = id;
    producer->transport = transport == Py_None ? NULL : object_of(transport, OBJECT_TRANSPORT);
    producer->codec = (enum codec)codec;
    producer->clock_rate = clock_rate;
    producer->payload_type = payload_type;
    producer->rtx_payload_type = rtx_payload_type;
    producer->red_payload_type = red_payload_type;
    producer->nack = nack != 0;
    note(&producer->audio_level, 127);
    producer->level_now = producer->level_before = 127;
    PyObject *capsule = NULL;
    if (!PyErr_Occurred() && ids_of(ids, producer->extension_ids) == 0 &&
        make_encodings(producer, encodings, history_bytes, history_ms * MILLISECOND))
        capsule = PyCapsule_New(producer, CAPSULES[OBJECT_PRODUCER], NULL);
    if (capsule == NULL) {
        object_free(self->plane, &producer->retired);
        return NULL;
    }
    if (producer->transport != NULL && producer->extension_ids[EXTENSION_TRANSPORT_WIDE] != 0 &&
        !attach_part(self, producer->transport, PART_ARRIVALS, sizeof(struct arrivals))) {
        Py_DECREF(capsule);
        object_free(self->plane, &producer->retired);
        return NULL;
    }
    Py_DECREF(push(self, (struct command){.kind = COMMAND_ADD_PRODUCER, .subject = producer}));
    return capsule;
}

PyObject *move_producer_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule, *transport, *encodings, *ids;
    struct stream_spec spec = {0};
    int nack;
    if (!running(self) || !PyArg_ParseTuple(arguments, "OOBO!BpO!B", &capsule, &transport, &spec.payload_type,
                                            &PyTuple_Type, &encodings, &spec.rtx_payload_type, &nack, &PyTuple_Type,
                                            &ids, &spec.red_payload_type))
        return NULL;
    spec.nack = nack != 0;
    struct command command = {.kind = COMMAND_MOVE_PRODUCER};
    command.subject = object_of(capsule, OBJECT_PRODUCER);
    command.part = transport == Py_None || command.subject == NULL ? NULL : object_of(transport, OBJECT_TRANSPORT);
    if (PyErr_Occurred() || ids_of(ids, spec.extension_ids) != 0)
        return NULL;
    if (PyTuple_GET_SIZE(encodings) > MAX_ENCODINGS)
        return PyErr_Format(PyExc_ValueError, "a producer has 1 to %d encodings", MAX_ENCODINGS);
    for (int i = 0; i < PyTuple_GET_SIZE(encodings); i++)
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(encodings, i), "II", &spec.ssrcs[i], &spec.rtx_ssrcs[i]))
            return NULL;
    if (command.part != NULL && spec.extension_ids[EXTENSION_TRANSPORT_WIDE] != 0 &&
        !attach_part(self, command.part, PART_ARRIVALS, sizeof(struct arrivals)))
        return NULL;
    command.block = object_make(self->plane, OBJECT_BLOCK, sizeof *command.block + sizeof spec);
    if (command.block == NULL)
        return PyErr_NoMemory();
    command.block->size = sizeof spec;
    memcpy(command.block->data, &spec, sizeof spec);
    return push(self, command);
}

PyObject *set_encoding_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    struct command command = {.kind = COMMAND_SET_ENCODING};
    if (!running(self) || !PyArg_ParseTuple(arguments, "OiII", &capsule, &command.number[0], &command.ssrc,
                                            &command.rtx_ssrc))
        return NULL;
    command.subject = object_of(capsule, OBJECT_PRODUCER);
    return command.subject == NULL ? NULL : push(self, command);
}

PyObject *set_timestamp_offset_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    struct command command = {.kind = COMMAND_SET_TIMESTAMP_OFFSET};
    if (!running(self) || !PyArg_ParseTuple(arguments, "OiI", &capsule, &command.number[0], &command.ssrc))
        return NULL;
    command.subject = object_of(capsule, OBJECT_PRODUCER);
    return command.subject == NULL ? NULL : push(self, command);
}

PyObject *set_capture_offset_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    long long offset;
    if (!running(self) || !PyArg_ParseTuple(arguments, "OL", &capsule, &offset))
        return NULL;
    void *producer = object_of(capsule, OBJECT_PRODUCER);
    if (producer == NULL)
        return NULL;
    return push(self, (struct command){.kind = COMMAND_SET_CAPTURE_OFFSET, .subject = producer, .time = offset});
}

PyObject *set_layer_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    struct command command = {.kind = COMMAND_SET_LAYER};
    if (!running(self) || !PyArg_ParseTuple(arguments, "OBBB", &capsule, &command.layer.encoding,
                                            &command.layer.spatial, &command.layer.temporal))
        return NULL;
    command.subject = object_of(capsule, OBJECT_CONSUMER);
    return command.subject == NULL ? NULL : push(self, command);
}

PyObject *add_consumer_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    unsigned long long id;
    PyObject *producer, *transport, *ids;
    unsigned char payload_type, rtx_payload_type, fec_payload_type, red_payload_type;
    unsigned ssrc, rtx_ssrc, fec_ssrc;
    const char *mid;
    Py_ssize_t mid_size;
    int min_delay, max_delay;
    if (!running(self) || !PyArg_ParseTuple(arguments, "KOOBIBIs#O!iiBIB", &id, &producer, &transport,
                                            &payload_type, &ssrc, &rtx_payload_type, &rtx_ssrc, &mid, &mid_size,
                                            &PyTuple_Type, &ids, &min_delay, &max_delay, &fec_payload_type,
                                            &fec_ssrc, &red_payload_type))
        return NULL;
    struct consumer *consumer = object_make(self->plane, OBJECT_CONSUMER, sizeof *consumer);
    if (consumer == NULL)
        return PyErr_NoMemory();
    consumer->id = id;
    consumer->producer = object_of(producer, OBJECT_PRODUCER);
    consumer->transport = consumer->producer == NULL ? NULL : object_of(transport, OBJECT_TRANSPORT);
    consumer->payload_type = payload_type;
    consumer->ssrc = ssrc;
    consumer->rtx_payload_type = rtx_payload_type;
    consumer->rtx_ssrc = rtx_ssrc;
    consumer->fec_payload_type = fec_payload_type;
    consumer->red_payload_type = red_payload_type;
    consumer->fec_ssrc = fec_ssrc;
    PyObject *capsule = NULL;
    if (mid_size > 16) {
        PyErr_SetString(PyExc_ValueError, "a MID has at most 16 bytes");
    } else if (consumer->transport != NULL && ids_of(ids, consumer->extension_ids) == 0) {
        consumer->fixed_size = write_fixed_extensions(consumer->extension_ids, mid, (size_t)mid_size, min_delay,
                                                      max_delay, consumer->fixed_extensions);
        layers_start(consumer);
        consumer->protection = fec_ssrc != 0 ? calloc(1, sizeof *consumer->protection) : NULL;
        bool wide = consumer->extension_ids[EXTENSION_TRANSPORT_WIDE] != 0;
        if (fec_ssrc != 0 && consumer->protection == NULL)
            PyErr_NoMemory();
        else if (!wide || attach_part(self, consumer->transport, PART_SENT, sizeof(struct sent_window)))
            capsule = PyCapsule_New(consumer, CAPSULES[OBJECT_CONSUMER], NULL);
    }
    if (capsule == NULL) {
        object_free(self->plane, &consumer->retired);
        return NULL;
    }
    Py_DECREF(push(self, (struct command){.kind = COMMAND_ADD_CONSUMER, .subject = consumer}));
    return capsule;
}

static PyObject *set_flag(PyObject *object, PyObject *arguments, enum object_kind kind, enum command_kind command)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    int flag;
    if (!running(self) || !PyArg_ParseTuple(arguments, "Op", &capsule, &flag))
        return NULL;
    void *subject = object_of(capsule, kind);
    if (subject == NULL)
        return NULL;
    return push(self, (struct command){.kind = command, .subject = subject, .flag = flag != 0});
}

PyObject *set_tap_method(PyObject *object, PyObject *arguments)
{
    return set_flag(object, arguments, OBJECT_PRODUCER, COMMAND_SET_TAP);
}

PyObject *set_low_tap_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    struct command command = {.kind = COMMAND_SET_LOW_TAP};
    if (!running(self) || !PyArg_ParseTuple(arguments, "Oi", &capsule, &command.number[0]))
        return NULL;
    command.subject = object_of(capsule, OBJECT_PRODUCER);
    return command.subject == NULL ? NULL : push(self, command);
}

PyObject *set_paused_method(PyObject *object, PyObject *arguments)
{
    return set_flag(object, arguments, OBJECT_CONSUMER, COMMAND_SET_PAUSED);
}
