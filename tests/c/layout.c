/* The structs as the compiler lays them out are those that the library was built with. */
#include "check.h"
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void sizes_and_offsets(void) {
    /* In the order that pyr_layout documents. */
    const size_t expected[] = {
        sizeof(pyr_value), offsetof(pyr_value, aux), offsetof(pyr_value, of),
        sizeof(pyr_result), offsetof(pyr_result, memory), offsetof(pyr_result, scratch),
        sizeof(pyr_array), offsetof(pyr_array, dimensions), offsetof(pyr_array, rank), offsetof(pyr_array, element),
        sizeof(pyr_error), offsetof(pyr_error, type_name), offsetof(pyr_error, message),
        offsetof(pyr_error, traceback), offsetof(pyr_error, exception),
        sizeof(pyr_start_options), offsetof(pyr_start_options, executable), offsetof(pyr_start_options, code),
        offsetof(pyr_start_options, flags),
        offsetof(pyr_start_options, interrupt_signal),
        sizeof(pyr_loan), offsetof(pyr_loan, kind), offsetof(pyr_loan, array), offsetof(pyr_loan, host),
        offsetof(pyr_loan, kept),
        sizeof(pyr_host), offsetof(pyr_host, release), offsetof(pyr_host, ask), offsetof(pyr_host, flags),
        sizeof(pyr_request), offsetof(pyr_request, id), offsetof(pyr_request, args),
        offsetof(pyr_request, reply), offsetof(pyr_request, nargs), offsetof(pyr_request, nkwargs),
        offsetof(pyr_request, question), offsetof(pyr_request, idle),
        sizeof(pyr_buffer), offsetof(pyr_buffer, data), offsetof(pyr_buffer, length),
        offsetof(pyr_buffer, item_size), offsetof(pyr_buffer, format), offsetof(pyr_buffer, dimensions),
        offsetof(pyr_buffer, strides), offsetof(pyr_buffer, rank), offsetof(pyr_buffer, element),
        offsetof(pyr_buffer, read_only),
    };
    uint32_t numbers[COUNT(expected) + 1];
    size_t i;

    numbers[COUNT(expected)] = 12345;
    CHECK(pyr_layout(numbers, COUNT(expected)) == COUNT(expected));
    for (i = 0; i < COUNT(expected); i++) {
        if (!CHECK(numbers[i] == expected[i])) {
            printf("    number %d is %u, expected %u\n", (int)i, (unsigned)numbers[i], (unsigned)expected[i]);
        }
    }
    CHECK(numbers[COUNT(expected)] == 12345);

    CHECK(pyr_layout(NULL, 0) == COUNT(expected));
    CHECK(pyr_layout(NULL, 100) == COUNT(expected));
    numbers[1] = 12345;
    CHECK(pyr_layout(numbers, 1) == COUNT(expected));
    CHECK(numbers[0] == sizeof(pyr_value) && numbers[1] == 12345);
}

static void documented_sizes(void) {
    CHECK(sizeof(pyr_value) == 16);
    CHECK(sizeof(pyr_payload) == 8);
    CHECK(PYR_SCRATCH == 488 && sizeof(((pyr_result *)0)->scratch) == PYR_SCRATCH);
    CHECK(offsetof(pyr_value, tag) == 0 && offsetof(pyr_result, value) == 0);
    CHECK(offsetof(pyr_array, data) == 0 && offsetof(pyr_error, status) == 0);
    CHECK(offsetof(pyr_start_options, size) == 0);
    /* Short text of four bytes a character must be aligned. */
    CHECK(offsetof(pyr_result, scratch) % 8 == 0);
}

static void numbers_are_distinct(const uint32_t *numbers, size_t count) {
    size_t i;
    /* They are 0 or 1 and upwards without gaps, so that none is there twice and none was reused. */
    for (i = 1; i < count; i++) {
        CHECK(numbers[i] == numbers[i - 1] + 1);
    }
}

static void constants(void) {
    const uint32_t statuses[] = {
        PYR_OK, PYR_PYTHON_ERROR, PYR_NULL_ARGUMENT, PYR_INVALID_HANDLE, PYR_STALE_HANDLE, PYR_INVALID_TAG,
        PYR_INVALID_TEXT, PYR_INVALID_SIZE, PYR_NOT_RUNNING, PYR_START_FAILED, PYR_UNSUPPORTED_PYTHON,
        PYR_INVALID_NAME, PYR_CIRCULAR, PYR_TOO_DEEP, PYR_CHANGED, PYR_GIL_NOT_HELD, PYR_PANIC, PYR_INVALID_ARRAY,
    };
    const uint32_t tags[] = {
        PYR_NONE, PYR_BOOL, PYR_INT, PYR_FLOAT, PYR_UTF8, PYR_LATIN1, PYR_UCS4, PYR_BIGINT, PYR_LIST,
        PYR_TUPLE, PYR_DICT, PYR_HANDLE, PYR_NAME, PYR_BYTES, PYR_ARRAY, PYR_SINGLE,
    };
    const uint32_t elements[] = {
        PYR_FLOAT32, PYR_FLOAT64, PYR_INT8, PYR_INT16, PYR_INT32, PYR_INT64, PYR_UINT8, PYR_UINT16, PYR_UINT32,
        PYR_UINT64, PYR_COMPLEX64, PYR_COMPLEX128,
    };
    CHECK(PYR_OK == 0 && tags[0] == 1 && elements[0] == 1);
    numbers_are_distinct(statuses, COUNT(statuses));
    numbers_are_distinct(tags, COUNT(tags));
    numbers_are_distinct(elements, COUNT(elements));
    CHECK((PYR_REMOTE | PYR_AS_UCS4 | PYR_TYPED | PYR_TYPED_ITEMS) == 15);
}

static void versions(void) {
    unsigned major = 0, minor = 0, patch = 0;
    char end = 0;
    CHECK(pyr_abi_version() == PYR_ABI_VERSION);
    CHECK(pyr_abi_minimum() == PYR_ABI_MINIMUM);
    CHECK(PYR_ABI_MINIMUM <= PYR_ABI_VERSION && PYR_ABI_MINIMUM >> 16 <= PYR_ABI_VERSION >> 16);
    CHECK(sscanf(pyr_version(), "%u.%u.%u%c", &major, &minor, &patch, &end) == 3);
}

int main(void) {
    /* All of this is there before Python is. */
    sizes_and_offsets();
    documented_sizes();
    constants();
    versions();
    CHECK(!pyr_is_running());
    return finish();
}
