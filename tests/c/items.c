/* Slices, iteration, and the kinds of exceptions. */
#include "check.h"

/* What `list[start:stop:step]` gives, three cells being asked for. */
static void sliced(pyr_value start, pyr_value stop, pyr_value step, const char *expected) {
    pyr_value parts[3], object = cell_text("0123456789"), slice;
    pyr_result result;
    parts[0] = start;
    parts[1] = stop;
    parts[2] = step;
    slice = cell_items(PYR_SLICE, parts, 3);
    CHECK_OK(pyr_getitem(&object, &slice, 0, &result));
    CHECK(same_text(expected, result.value.of.bytes, result.value.aux));
    pyr_result_free(&result);
}

static void slices(void) {
    pyr_value none, bad;
    pyr_result result;
    memset(&none, 0, sizeof none);
    none.tag = PYR_NONE;
    sliced(none, none, none, "0123456789");
    sliced(cell_int(2), cell_int(4), none, "23");
    sliced(none, none, cell_int(-3), "9630");
    sliced(cell_int(8), none, none, "89");
    bad = cell_items(PYR_SLICE, NULL, 3);
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_convert(&bad, 0, &result));
    bad = cell_items(PYR_SLICE, &none, 1);
    CHECK_STATUS(PYR_INVALID_TAG, pyr_convert(&bad, 0, &result));
}

static void iteration(void) {
    pyr_value iterator, list, items[2];
    pyr_result result;
    int32_t more = -1, sum = 0;
    items[0] = cell_int(30);
    items[1] = cell_int(12);
    list = cell_items(PYR_LIST, items, 2);
    CHECK_OK(pyr_iter(&list, 0, &result));
    CHECK(result.value.tag == PYR_HANDLE);
    iterator = result.value;
    while (CHECK_OK(pyr_next(&iterator, 0, &result, &more)) && more) {
        sum += (int32_t)result.value.of.integer;
        pyr_result_free(&result);
    }
    CHECK(sum == 42 && more == 0);
    more = 5;
    CHECK_STATUS(PYR_PYTHON_ERROR, pyr_next(&list, 0, &result, &more));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_next(NULL, 0, &result, &more));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_next(&iterator, 0, NULL, &more));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_next(&iterator, 0, &result, NULL));
    CHECK_STATUS(PYR_INVALID_FLAGS, pyr_next(&iterator, 1u << 31, &result, &more));
    CHECK(more == 5);
    CHECK_OK(pyr_release(iterator.of.handle));
    CHECK_STATUS(PYR_PYTHON_ERROR, pyr_iter(&items[0], 0, &result));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_iter(NULL, 0, &result));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_iter(&list, 0, NULL));
    CHECK(live_handles() == 0);
}

static void kind(const char *expression, uint32_t expected) {
    pyr_result result;
    pyr_error error;
    CHECK_STATUS(PYR_PYTHON_ERROR, evaluate(expression, 0, &result));
    CHECK_OK(pyr_error_last(&error, 0));
    CHECK(error.kind == expected);
    pyr_release(error.exception);
    pyr_error_clear();
}

static void kinds(void) {
    kind("int('x')", PYR_KIND_VALUE_ERROR);
    kind("open('/no/such/file')", PYR_KIND_FILE_NOT_FOUND_ERROR);
    kind("1 / 0", PYR_KIND_ZERO_DIVISION_ERROR);
    kind("__import__('json').loads('{')", PYR_KIND_VALUE_ERROR);
    kind("exit()", PYR_KIND_SYSTEM_EXIT);
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    slices();
    iteration();
    kinds();
    return finish();
}
