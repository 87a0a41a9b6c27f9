/* The types of the extension module. */

#ifndef KONSIL_TYPES_H
#define KONSIL_TYPES_H

#include <Python.h>

extern PyType_Spec plane_spec;

#endif
