/* The extension module `media.native._native`. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "histogram.h"
#include "srtp.h"
#include "types.h"

static PyObject *set_srtp(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    unsigned long long protect, unprotect, protect_rtcp, unprotect_rtcp;
    if (!PyArg_ParseTuple(arguments, "KKKK", &protect, &unprotect, &protect_rtcp, &unprotect_rtcp))
        return NULL;
    srtp.protect = (srtp_function)(uintptr_t)protect;
    srtp.unprotect = (srtp_function)(uintptr_t)unprotect;
    srtp.protect_rtcp = (srtp_function)(uintptr_t)protect_rtcp;
    srtp.unprotect_rtcp = (srtp_function)(uintptr_t)unprotect_rtcp;
    Py_RETURN_NONE;
}

/* Call one of the functions above on a copy, as the known-answer test does. */
static PyObject *call_srtp(PyObject *arguments, srtp_function function)
{
    unsigned long long session;
    const char *data;
    Py_ssize_t size;
    _Alignas(8) uint8_t room[1500 + SRTP_ROOM];
    if (!PyArg_ParseTuple(arguments, "Ky#", &session, &data, &size))
        return NULL;
    if (size > 1500 || function == NULL) {
        PyErr_SetString(PyExc_ValueError, "too long, or set_srtp was not called");
        return NULL;
    }
    memcpy(room, data, (size_t)size);
    int length = (int)size;
    int status = function((void *)(uintptr_t)session, room, &length);
    if (status != SRTP_OK)
        return PyErr_Format(PyExc_ValueError, "libsrtp says %d", status);
    return PyBytes_FromStringAndSize((char *)room, length);
}

static PyObject *protect(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call_srtp(arguments, srtp.protect);
}

static PyObject *unprotect(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call_srtp(arguments, srtp.unprotect);
}

static PyObject *protect_rtcp(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call_srtp(arguments, srtp.protect_rtcp);
}

static PyObject *unprotect_rtcp(PyObject *Py_UNUSED(module), PyObject *arguments)
{
    return call_srtp(arguments, srtp.unprotect_rtcp);
}

static PyMethodDef methods[] = {
    {"shard_group", shard_group, METH_O, NULL},
    {"bare_send", bare_send, METH_VARARGS, NULL},
    {"bare_drain", bare_drain, METH_O, NULL},
    {"walk_tap", walk_tap, METH_VARARGS, NULL},
    {"set_srtp", set_srtp, METH_VARARGS, NULL},
    {"protect", protect, METH_VARARGS, NULL},
    {"unprotect", unprotect, METH_VARARGS, NULL},
    {"protect_rtcp", protect_rtcp, METH_VARARGS, NULL},
    {"unprotect_rtcp", unprotect_rtcp, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", "The packet plane.", -1, methods,
                                        NULL, NULL, NULL, NULL};

static int add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);
    int result = type != NULL ? PyModule_AddObjectRef(module, name, type) : -1;
    Py_XDECREF(type);
    return result;
}

PyMODINIT_FUNC PyInit__native(void)
{
    histogram_start();
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL &&
        (add_type(module, "Plane", &plane_spec) != 0 || add_type(module, "Probe", &probe_spec) != 0 ||
         add_type(module, "Joiner", &joiner_spec) != 0))
        Py_CLEAR(module);
    return module;
}
