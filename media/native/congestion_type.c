/* The methods of `_native.Plane` about congestion control. */

#include <stdlib.h>

#include "plane_type.h"

bool attach_part(struct plane_object *self, struct transport *transport, enum part part, size_t size)
{
    if (transport->parts[part])
        return true;
    void *made = pages_make(size);
    if (made == NULL) {
        PyErr_NoMemory();
        return false;
    }
    transport->parts[part] = true;
    Py_DECREF(push(self, (struct command){
                             .kind = COMMAND_ATTACH, .subject = transport, .number = {(int)part}, .part = made}));
    return true;
}

PyObject *set_round_trip_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    long long round_trip;
    if (!running(self) || !PyArg_ParseTuple(arguments, "OL", &capsule, &round_trip))
        return NULL;
    void *transport = object_of(capsule, OBJECT_TRANSPORT);
    if (transport == NULL)
        return NULL;
    return push(self, (struct command){.kind = COMMAND_SET_ROUND_TRIP, .subject = transport, .time = round_trip});
}

PyObject *set_pacing_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    long long rate;
    if (!running(self) || !PyArg_ParseTuple(arguments, "OL", &capsule, &rate))
        return NULL;
    void *transport = object_of(capsule, OBJECT_TRANSPORT);
    if (transport == NULL || (rate > 0 && !attach_part(self, transport, PART_PACER, sizeof(struct pacer))))
        return NULL;
    return push(self, (struct command){.kind = COMMAND_SET_PACING, .subject = transport, .time = rate});
}

PyObject *probe_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    struct command command = {.kind = COMMAND_PROBE};
    long long rate;
    if (!running(self) ||
        !PyArg_ParseTuple(arguments, "OiLi", &capsule, &command.number[0], &rate, &command.number[1]))
        return NULL;
    if ((command.subject = object_of(capsule, OBJECT_TRANSPORT)) == NULL)
        return NULL;
    command.time = rate;
    return push(self, command);
}

PyObject *set_fec_method(PyObject *object, PyObject *arguments)
{
    struct plane_object *self = (struct plane_object *)object;
    PyObject *capsule;
    int share;
    if (!running(self) || !PyArg_ParseTuple(arguments, "Oi", &capsule, &share))
        return NULL;
    void *consumer = object_of(capsule, OBJECT_CONSUMER);
    if (consumer == NULL)
        return NULL;
    if (((struct consumer *)consumer)->protection == NULL)
        Py_RETURN_NONE; /* only 0 comes so far */
    return push(self, (struct command){.kind = COMMAND_SET_FEC, .subject = consumer, .time = share});
}

/* The fields of media.plane.TransportStatistics, in its order. */
PyObject *transport_statistics_method(PyObject *Py_UNUSED(object), PyObject *capsule)
{
    struct transport *transport = object_of(capsule, OBJECT_TRANSPORT);
    if (transport == NULL)
        return NULL;
    return Py_BuildValue("(KKKKKKKKKKKK)", (unsigned long long)counted(&transport->packets_out),
                         (unsigned long long)counted(&transport->bytes_out),
                         (unsigned long long)counted(&transport->padding_packets),
                         (unsigned long long)counted(&transport->padding_bytes),
                         (unsigned long long)counted(&transport->fec_packets),
                         (unsigned long long)counted(&transport->fec_bytes),
                         (unsigned long long)counted(&transport->queued_packets),
                         (unsigned long long)counted(&transport->queued_bytes),
                         (unsigned long long)counted(&transport->paced),
                         (unsigned long long)counted(&transport->feedback_in),
                         (unsigned long long)counted(&transport->feedback_out),
                         (unsigned long long)counted(&transport->feedback_ignored));
}
