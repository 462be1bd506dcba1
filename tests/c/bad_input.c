/* What a mistaken host may pass: each mistake is a status with a message, and the next call works. */
#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One mistake: `call` is what was done, in words; `status` is what came of it. */
static void refused(pyr_status expected, pyr_status status, const char *call, const pyr_result *untouched) {
    pyr_error error;
    if (!CHECK(status == expected)) {
        printf("    %s gave %u instead of %u\n", call, (unsigned)status, (unsigned)expected);
    }
    CHECK_OK(pyr_error_last(&error, 0));
    CHECK(error.status == status && error.message_length > 0 && (error.kind != 0) == (status == PYR_PYTHON_ERROR));
    pyr_release(error.exception);
    CHECK(untouched->value.tag == 12345 && untouched->value.of.integer == 54321);
    CHECK(is_true("sum([1, 2]) == 3"));
}

#define REFUSED(expected, call) refused((expected), (call), #call, &out)

static pyr_result untouched_result(void) {
    pyr_result result;
    memset(&result, 0, sizeof result);
    result.value = cell_int(54321);
    result.value.tag = 12345;
    return result;
}

static void null_pointers(void) {
    pyr_value a = cell_int(1), text = cell_text("abs");
    pyr_result out = untouched_result();
    pyr_name name = 0;
    int32_t same = 0;

    REFUSED(PYR_NULL_ARGUMENT, pyr_start(NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_intern(NULL, 3, &name));
    REFUSED(PYR_NULL_ARGUMENT, pyr_intern((const uint8_t *)"abs", 3, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_watch_type(NULL, 3, 1));
    REFUSED(PYR_INVALID_TEXT, pyr_watch_type((const uint8_t *)"\xFF", 1, 1));
    REFUSED(PYR_NULL_ARGUMENT, pyr_get(NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_get(&text, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_set(NULL, &a));
    REFUSED(PYR_NULL_ARGUMENT, pyr_set(&text, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call(NULL, &a, 1, 0, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call(&text, NULL, 1, 0, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call(&text, NULL, 0, 1, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call(&text, &a, 1, 0, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call_method(NULL, &text, &a, 1, 0, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call_method(&a, NULL, &a, 1, 0, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call_method(&a, &text, NULL, 1, 0, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_call_method(&a, &text, &a, 0, 0, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_getattr(NULL, &text, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_getattr(&a, NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_getattr(&a, &text, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_setattr(NULL, &text, &a));
    REFUSED(PYR_NULL_ARGUMENT, pyr_setattr(&a, NULL, &a));
    REFUSED(PYR_NULL_ARGUMENT, pyr_setattr(&a, &text, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_getitem(NULL, &a, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_getitem(&a, NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_getitem(&text, &a, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_setitem(NULL, &a, &a));
    REFUSED(PYR_NULL_ARGUMENT, pyr_setitem(&a, NULL, &a));
    REFUSED(PYR_NULL_ARGUMENT, pyr_setitem(&a, &a, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_convert(NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_convert(&a, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_str(NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_str(&a, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_repr(NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_repr(&a, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_type_name(NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_type_name(&a, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_is(NULL, &a, &same));
    REFUSED(PYR_NULL_ARGUMENT, pyr_is(&a, NULL, &same));
    REFUSED(PYR_NULL_ARGUMENT, pyr_is(&a, &a, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_import(NULL, NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_import_from(NULL, &text, NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_import_from(&text, NULL, NULL, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_eval(NULL, 1, 0, &out));
    REFUSED(PYR_NULL_ARGUMENT, pyr_eval(&text, 1, 0, NULL));
    REFUSED(PYR_NULL_ARGUMENT, pyr_exec(NULL, 1));
    REFUSED(PYR_NULL_ARGUMENT, pyr_error_last(NULL, 0));
    REFUSED(PYR_NULL_ARGUMENT, pyr_error_last(NULL, 1));
    CHECK(name == 0 && same == 0);
    pyr_result_free(NULL);
    CHECK_OK(pyr_counters(NULL, NULL));
    CHECK_OK(pyr_exec(NULL, 0));
}

static void null_exception(void) {
    pyr_result out = untouched_result();
    pyr_handle exception = handle_on("ValueError('x')");
    REFUSED(PYR_NULL_ARGUMENT, pyr_format_exception(exception, 0, NULL));
    REFUSED(PYR_INVALID_HANDLE, pyr_format_exception(0, 0, &out));
    CHECK_OK(pyr_counts(exception, NULL, NULL));
    pyr_release(exception);
    REFUSED(PYR_STALE_HANDLE, pyr_format_exception(exception, 0, &out));
}

/* A version of the struct that this library does not know: nothing beyond the size is read. */
static void unknown_sizes(void) {
    const size_t sizes[] = {0, 1, sizeof(pyr_start_options) - 1, sizeof(pyr_start_options) + 8, SIZE_MAX};
    pyr_result out = untouched_result();
    pyr_start_options options;
    size_t i;
    memset(&options, 0xFF, sizeof options);
    for (i = 0; i < COUNT(sizes); i++) {
        options.size = sizes[i];
        REFUSED(PYR_INVALID_SIZE, pyr_start(&options));
    }
    options.size = sizeof options;
    options.executable = NULL;
    options.executable_length = 1;
    REFUSED(PYR_INVALID_FLAGS, pyr_start(&options));
    options.flags = 0;
    REFUSED(PYR_INVALID_FLAGS, pyr_start(&options));
    options.interrupt_signal = 0;
    REFUSED(PYR_NULL_ARGUMENT, pyr_start(&options));
}

static void handles(void) {
    pyr_handle bad[3];
    pyr_result out = untouched_result();
    size_t i, count = 7;
    bad[0] = 0;
    bad[1] = UINT64_MAX;
    bad[2] = (uint64_t)1 << 62;
    for (i = 0; i < COUNT(bad); i++) {
        REFUSED(PYR_INVALID_HANDLE, pyr_retain(bad[i]));
        REFUSED(PYR_INVALID_HANDLE, pyr_counts(bad[i], &count, &count));
        REFUSED(PYR_INVALID_HANDLE, pyr_format_exception(bad[i], 0, &out));
        CHECK_OK(pyr_release(bad[i]));
        CHECK(count == 7);
    }
    REFUSED(PYR_PANIC, pyr_test_panic());
    REFUSED(PYR_GIL_NOT_HELD, pyr_gil_release());
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    null_pointers();
    null_exception();
    unknown_sizes();
    handles();
    return finish();
}
