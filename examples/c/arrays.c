/*
 * arrays.c: memory of C becomes a numpy array, and a numpy array comes back as memory. There is no cell
 * for each element: an array is one cell with a description of its memory.
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

int main(int argc, char **argv) {
    double numbers[2][3] = {{1, 2, 3}, {4, 5, 6.5}};
    size_t dimensions[2] = {2, 3};
    pyr_array array;
    pyr_value argument, function, power;
    const pyr_array *squares;
    const double *elements;
    pyr_result result;
    size_t row, column;

    start_python(argc, argv);
    if (!import_numpy()) {
        return SKIPPED;
    }
    array.data = numbers;
    array.dimensions = dimensions;
    array.rank = 2;
    array.element = PYR_FLOAT64;
    argument = cell_array(&array);

    /* Python gets a copy: `numbers` need not stay as it is. A numpy scalar comes back as a number. */
    function = cell_text("numpy.sum");
    must(pyr_call(&function, &argument, 1, 0, 0, &result));
    printf("the sum is %g\n", result.value.of.real);
    pyr_result_free(&result);

    /* The result is not copied: its data is numpy's own memory, and is there until the result is freed. */
    function = cell_text("lambda array, power: array.T ** power");
    power = cell_int(2);
    {
        pyr_value arguments[2];
        arguments[0] = argument;
        arguments[1] = power;
        must(pyr_call(&function, arguments, 2, 0, 0, &result));
    }
    if (result.value.tag != PYR_ARRAY || result.value.of.array->element != PYR_FLOAT64) {
        fprintf(stderr, "that is no array of doubles\n");
        return 1;
    }
    squares = result.value.of.array;
    elements = (const double *)squares->data;
    printf("transposed and squared, %u dimensions:\n", (unsigned)squares->rank);
    for (row = 0; row < squares->dimensions[0]; row++) {
        for (column = 0; column < squares->dimensions[1]; column++) {
            /* C order, without gaps, whatever the order in numpy was. */
            printf(" %6.2f", elements[row * squares->dimensions[1] + column]);
        }
        printf("\n");
    }
    pyr_result_free(&result);
    return 0;
}
