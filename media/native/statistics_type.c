/* The counters of producers and consumers, as `_native.Plane` gives them to Python. */

#include "plane_type.h"

#define LEVEL_LASTS (300 * MILLISECOND) /* who has said nothing for so long is silent */

PyObject *counters_tuple(counter *counters, int count)
{
    PyObject *tuple = PyTuple_New(count);
    for (int i = 0; tuple != NULL && i < count; i++) {
        PyObject *value = PyLong_FromUnsignedLongLong(counted(&counters[i]));
        if (value == NULL)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, value);
    }
    return tuple;
}

/* The fields of media.plane.EncodingStatistics, in its order. */
static PyObject *encoding_statistics(struct encoding *encoding)
{
    counter *read[] = {&encoding->packets,    &encoding->bytes,          &encoding->first,
                       &encoding->highest,    NULL,                      &encoding->recovered,
                       &encoding->duplicates, &encoding->jitter,         &encoding->nacks_sent,
                       &encoding->key_frames, &encoding->last_timestamp, &encoding->last_arrival};
    unsigned long long value[12];
    for (int i = 0; i < 12; i++)
        value[i] = read[i] != NULL ? counted(read[i]) : encoding_lost(encoding);
    uint64_t frames = counted(&encoding->frames);
    int known = frames < RECENT_FRAMES ? (int)frames : RECENT_FRAMES;
    PyObject *recent = PyTuple_New(known);
    for (int i = 0; recent != NULL && i < known; i++) {
        uint64_t timestamp = counted(&encoding->recent_timestamps[(frames - 1 - (unsigned)i) % RECENT_FRAMES]);
        PyObject *item = PyLong_FromUnsignedLongLong(timestamp);
        if (item == NULL)
            Py_CLEAR(recent);
        else
            PyTuple_SET_ITEM(recent, i, item);
    }
    uint64_t told = counted(&encoding->told_offset);
    PyObject *offset = told != 0 ? PyLong_FromUnsignedLongLong(told - 1) : Py_NewRef(Py_None);
    return Py_BuildValue("(KKKKKKKKKKKKNN(KK)N)", value[0], value[1], value[2], value[3], value[4], value[5], value[6],
                         value[7], value[8], value[9], value[10], value[11],
                         counters_tuple(encoding->layer_bytes, LAYERS), recent,
                         (unsigned long long)counted(&encoding->capture_timestamp),
                         (unsigned long long)counted(&encoding->capture_time), offset);
}

/* The fields of media.plane.ProducerStatistics, in its order; the encodings as tuples. */
PyObject *producer_statistics_method(PyObject *Py_UNUSED(object), PyObject *capsule)
{
    struct producer *producer = object_of(capsule, OBJECT_PRODUCER);
    PyObject *encodings = producer != NULL ? PyTuple_New(producer->encoding_count) : NULL;
    for (int i = 0; encodings != NULL && i < producer->encoding_count; i++) {
        PyObject *statistics = encoding_statistics(&producer->encodings[i]);
        if (statistics == NULL)
            Py_CLEAR(encodings);
        else
            PyTuple_SET_ITEM(encodings, i, statistics);
    }
    if (encodings == NULL)
        return NULL;
    bool silent = realtime_ns() - (int64_t)counted(&producer->level_arrival) > LEVEL_LASTS;
    return Py_BuildValue("(NNK)", encodings, counters_tuple(producer->transit, TRANSIT_BUCKETS),
                         (unsigned long long)(silent ? 127 : counted(&producer->audio_level)));
}

/* The fields of media.plane.ConsumerStatistics, in its order. */
PyObject *consumer_statistics_method(PyObject *Py_UNUSED(object), PyObject *capsule)
{
    struct consumer *consumer = object_of(capsule, OBJECT_CONSUMER);
    if (consumer == NULL)
        return NULL;
    uint64_t sent = counted(&consumer->layer_sent); /* 0: nothing */
    int layer[3];
    for (int i = 0; i < 3; i++)
        layer[i] = (int)(sent >> 8 * i & 255) - 1;
    return Py_BuildValue("(KKKKKiii)", (unsigned long long)counted(&consumer->packets),
                         (unsigned long long)counted(&consumer->octets),
                         (unsigned long long)counted(&consumer->retransmitted),
                         (unsigned long long)counted(&consumer->last_timestamp),
                         (unsigned long long)counted(&consumer->last_sent), layer[0], layer[1], layer[2]);
}
