/*
 * buffer.c: a numpy array is filled and read where it is. Nothing is copied, however large it is: the
 * program and Python look at the same memory.
 */
#include "cells.h"

/* What test runners take for "skipped". */
#define SKIPPED 77

static int import_numpy(void) {
    pyr_value numpy = cell_text("numpy");
    pyr_error error;
    if (pyr_import(&numpy, NULL, 0, NULL) == PYR_OK) {
        return 1;
    }
    pyr_error_last(&error, 0);
    printf("skipped: %.*s\n", (int)error.message_length, (const char *)error.message);
    pyr_release(error.exception);
    return 0;
}

/* The element in some row and column of a buffer of doubles, which need not lie side by side. */
static double *element(const pyr_buffer *buffer, size_t row, size_t column) {
    char *place = (char *)buffer->data;
    place += (ptrdiff_t)row * buffer->strides[0] + (ptrdiff_t)column * buffer->strides[1];
    return (double *)(void *)place;
}

int main(int argc, char **argv) {
    pyr_value function, source, array;
    pyr_buffer buffer;
    pyr_result result;
    size_t row, column;

    start_python(argc, argv);
    if (!import_numpy()) {
        return SKIPPED;
    }
    /* The array stays in Python; the program has a handle on it. */
    source = cell_text("numpy.zeros((1000, 500))");
    must(pyr_eval(&source, 1, PYR_REMOTE, &result));
    array = result.value;
    pyr_result_free(&result);

    must(pyr_buffer_get(&array, PYR_WRITABLE, &buffer));
    if (buffer.element != PYR_FLOAT64 || buffer.rank != 2) {
        fprintf(stderr, "that is no matrix of doubles\n");
        return 1;
    }
    for (row = 0; row < buffer.dimensions[0]; row++) {
        for (column = 0; column < buffer.dimensions[1]; column++) {
            *element(&buffer, row, column) = (double)(row + column);
        }
    }

    /* Python sees what was written, ... */
    function = cell_text("numpy.sum");
    must(pyr_call(&function, &array, 1, 0, 0, &result));
    printf("the sum is %g\n", result.value.of.real);
    pyr_result_free(&result);

    /* ... and the program what Python wrote. */
    function = cell_text("lambda array: array.__imul__(2)");
    must(pyr_call(&function, &array, 1, 0, PYR_REMOTE, &result));
    pyr_release(result.value.of.handle);
    pyr_result_free(&result);
    printf("the last element, doubled, is %g\n", *element(&buffer, 999, 499));

    /* Now the memory is Python's again, and goes with the array. */
    must(pyr_buffer_close(buffer.id));
    pyr_release(array.of.handle);
    return 0;
}
