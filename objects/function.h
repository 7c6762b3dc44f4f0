/* The C function pointers made of an object: kept with it, and freed with it. */
#ifndef OBJECTS_FUNCTION_H
#define OBJECTS_FUNCTION_H

#include <ffi.h>
#include <stdbool.h>
#include <stddef.h>

#include "objects/native.h"
#include "protocol/signature.h"

struct busbar_object;
struct functions;
struct outcome_slots;

/* One function pointer. Nothing in it changes after it was made but `described`. */
struct function {
    struct function *next;
    struct busbar_object *object; /* whose it is, and which outlives it */
    char *method;
    struct signature signature;
    struct native native;
    size_t results_at; /* the first C argument after those of the signature */
    size_t places_at;  /* of these the first that points to a result, not to a size */
    ffi_closure *closure;
    void *code;     /* the pointer itself */
    void *address;  /* the C function behind it, to be called directly; or NULL */
    bool plain;     /* and directly means: there is nothing to check nor to copy */
    bool described; /* what busbar_function gives for the method */
    struct outcome_slots *slots[SIGNATURE_ITEMS_MAX]; /* of the results that are borrowed */
};

/* Is called by libffi for whoever calls the pointer. function_enter.c */
void function_enter(ffi_cif *cif, void *result, void **arguments, void *function);

/* Frees all; whoever calls one of them afterwards is lost. */
void functions_destroy(struct functions **functions);

#endif
