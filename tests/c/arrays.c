/* Arrays of every element type, from C to numpy and from numpy to C. */
#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
    pyr_element element;
    const char *dtype;
    size_t size;
} elements[] = {
    {PYR_FLOAT32, "float32", 4}, {PYR_FLOAT64, "float64", 8}, {PYR_INT8, "int8", 1}, {PYR_INT16, "int16", 2},
    {PYR_INT32, "int32", 4}, {PYR_INT64, "int64", 8}, {PYR_UINT8, "uint8", 1}, {PYR_UINT16, "uint16", 2},
    {PYR_UINT32, "uint32", 4}, {PYR_UINT64, "uint64", 8}, {PYR_COMPLEX64, "complex64", 8},
    {PYR_COMPLEX128, "complex128", 16},
};

static int has_numpy(void) {
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

/* Every type: what numpy makes of the memory, and the same memory back. */
static void both_ways(void) {
    const uint8_t memory[96] = {0, 0, 0x80, 0x3F, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x40};
    const size_t dimensions[] = {2, 3, 1};
    pyr_array array;
    pyr_result result;
    size_t i;
    array.data = memory;
    array.dimensions = dimensions;
    array.rank = 3;
    for (i = 0; i < COUNT(elements); i++) {
        pyr_value arguments[2];
        pyr_value function = cell_text("lambda a, dtype: a.dtype == dtype and a.shape == (2, 3, 1) and"
                                       " a.flags.owndata and a.flags.writeable and a.flags.c_contiguous");
        array.element = elements[i].element;
        arguments[0] = cell_array(&array);
        arguments[1] = cell_text(elements[i].dtype);
        CHECK_OK(pyr_call(&function, arguments, 2, 0, 0, &result));
        CHECK(result.value.tag == PYR_BOOL && result.value.of.integer == 1);
        pyr_result_free(&result);
        CHECK_OK(pyr_convert(&arguments[0], 0, &result));
        if (CHECK(result.value.tag == PYR_ARRAY)) {
            const pyr_array *got = result.value.of.array;
            CHECK(got->element == array.element && got->rank == 3);
            CHECK(memcmp(got->dimensions, dimensions, sizeof dimensions) == 0);
            CHECK(memcmp(got->data, memory, 6 * elements[i].size) == 0);
        }
        pyr_result_free(&result);
    }
}

/* However numpy has them, arrays come in C order, without gaps, in native byte order. */
static void comes_plain(const char *expression) {
    const int32_t expected[] = {0, 1, 2, 3, 4, 5};
    pyr_result result;
    CHECK_OK(evaluate(expression, 0, &result));
    if (CHECK(result.value.tag == PYR_ARRAY)) {
        const pyr_array *got = result.value.of.array;
        CHECK(got->element == PYR_INT32 && got->rank == 2 && got->dimensions[0] == 2 && got->dimensions[1] == 3);
        if (!CHECK(memcmp(got->data, expected, sizeof expected) == 0)) {
            printf("    getting %s\n", expression);
        }
    }
    pyr_result_free(&result);
}

static void empty(void) {
    const size_t dimensions[] = {2, 0};
    pyr_array array;
    pyr_value value = cell_array(&array);
    pyr_result result;
    array.data = NULL;
    array.dimensions = dimensions;
    array.rank = 2;
    array.element = PYR_FLOAT64;
    CHECK_OK(pyr_convert(&value, 0, &result));
    CHECK(result.value.tag == PYR_ARRAY && result.value.of.array->dimensions[1] == 0);
    pyr_result_free(&result);
}

/* Scalars and arrays without dimensions are numbers; what has no element type of ours is an object. */
static void becomes(const char *expression, pyr_tag tag, double number) {
    pyr_result result;
    CHECK_OK(evaluate(expression, 0, &result));
    if (!CHECK(result.value.tag == tag)) {
        printf("    %s came with tag %u\n", expression, (unsigned)result.value.tag);
    } else if (tag == PYR_FLOAT || tag == PYR_SINGLE) {
        CHECK(result.value.of.real == number);
    } else if (tag == PYR_ARRAY) {
        CHECK(result.value.of.array->rank == 1 && result.value.of.array->dimensions[0] == 1);
    } else if (tag == PYR_HANDLE) {
        pyr_release(result.value.of.handle);
    } else {
        CHECK(result.value.of.integer == (int64_t)number);
    }
    pyr_result_free(&result);
}

/* The memory of a result is numpy's own, and is kept while the result is. */
static void outlives(void) {
    pyr_result result;
    execute("array = numpy.arange(1000.0)");
    CHECK_OK(evaluate("array", 0, &result));
    execute("array += 1; address = array.ctypes.data; del array; import gc; gc.collect()");
    CHECK(((const double *)result.value.of.array->data)[999] == 1000.0);
    pyr_result_free(&result);
    CHECK_OK(evaluate("[numpy.ones(2), {'k': numpy.zeros((1, 1))}]", 0, &result));
    CHECK(((const double *)result.value.of.items[0].of.array->data)[1] == 1.0);
    CHECK(result.value.of.items[1].of.items[1].of.array->rank == 2);
    pyr_result_free(&result);
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    if (!has_numpy()) {
        return SKIPPED;
    }
    both_ways();
    comes_plain("numpy.array([[0, 1, 2], [3, 4, 5]], 'i4')");
    comes_plain("numpy.array([[0, 1, 2], [3, 4, 5]], 'i4', order='F')");
    comes_plain("numpy.array([[0, 3], [1, 4], [2, 5]], 'i4').T");
    comes_plain("numpy.arange(12, dtype='i4')[::2].reshape(2, 3) // 2");
    comes_plain("numpy.array([[5, 4, 3], [2, 1, 0]], 'i4')[::-1, ::-1]");
    comes_plain("numpy.array([[0, 1, 2], [3, 4, 5]], '>i4')");
    comes_plain("numpy.frombuffer(b'x' + numpy.arange(6, dtype='i4').tobytes(), 'i4', offset=1).reshape(2, 3)");
    empty();
    becomes("numpy.float64(0.5)", PYR_FLOAT, 0.5);
    becomes("numpy.float32(0.5)", PYR_SINGLE, 0.5);
    becomes("numpy.float16(0.5)", PYR_SINGLE, 0.5);
    becomes("numpy.int8(-3)", PYR_INT, -3);
    becomes("numpy.uint64(7)", PYR_INT, 7);
    becomes("numpy.bool_(True)", PYR_BOOL, 1);
    becomes("numpy.array(2.5)", PYR_FLOAT, 2.5);
    becomes("numpy.array(True)", PYR_BOOL, 1);
    becomes("numpy.array([True])", PYR_ARRAY, 0);
    becomes("numpy.array([0.5], dtype='float16')", PYR_ARRAY, 0);
    becomes("numpy.array(['a'])", PYR_ARRAY, 0);
    becomes("numpy.array([None])", PYR_ARRAY, 0);
    becomes("numpy.array(['2020-01-01'], dtype='M8[D]')", PYR_HANDLE, 0);
    outlives();
    CHECK(live_handles() == 0);
    return finish();
}
