/*
 * check.h: what the test programs share. A check that fails is counted and told; the program goes on,
 * so that one run tells all. The last line is the count, which is also in the exit code.
 */
#ifndef CHECK_H
#define CHECK_H

#include <cells.h>

/* What the runner takes for "skipped". */
#define SKIPPED 77

/* Counted from many threads at once. */
static int checks_passed = 0, checks_failed = 0;

static inline int check_note(int good, const char *what, const char *file, int line) {
    __atomic_fetch_add(good ? &checks_passed : &checks_failed, 1, __ATOMIC_RELAXED);
    if (!good) {
        printf("%s:%d: failed: %s\n", file, line, what);
    }
    return good;
}

#define CHECK(condition) check_note((condition) ? 1 : 0, #condition, __FILE__, __LINE__)

/* Check a call's status; when it is another, tell what the library says of it. */
static inline int check_status(pyr_status expected, pyr_status status, const char *what, const char *file, int line) {
    pyr_error error;
    if (!check_note(status == expected, what, file, line)) {
        printf("    status %u instead of %u\n", (unsigned)status, (unsigned)expected);
        if (status != PYR_OK && pyr_error_last(&error, 0) == PYR_OK) {
            printf("    %.*s: %.*s\n", (int)error.type_name_length, (const char *)error.type_name,
                   (int)error.message_length, (const char *)error.message);
            pyr_release(error.exception);
        }
    }
    return status == expected;
}

#define CHECK_STATUS(expected, call) check_status((expected), (call), #call, __FILE__, __LINE__)
#define CHECK_OK(call) CHECK_STATUS(PYR_OK, call)

/* How often to repeat something: fewer times under tools that slow programs down. */
static inline int repeated(int times) {
    const char *percent = getenv("PYRITE_TEST_PERCENT");
    int scaled = percent == NULL ? times : (int)((long)times * atoi(percent) / 100);
    return scaled > 0 ? scaled : 1;
}

/* Execute statements, which must succeed. */
static inline void execute(const char *source) {
    pyr_value part = cell_text(source);
    must(pyr_exec(&part, 1));
}

static inline pyr_status evaluate(const char *expression, uint32_t flags, pyr_result *result) {
    pyr_value part = cell_text(expression);
    return pyr_eval(&part, 1, flags, result);
}

/* Whether an expression is Python's True. */
static inline int is_true(const char *expression) {
    pyr_result result;
    int truth;
    must(evaluate(expression, 0, &result));
    truth = result.value.tag == PYR_BOOL && result.value.of.integer == 1;
    pyr_result_free(&result);
    return truth;
}

/* The handle on what an expression gives. */
static inline pyr_handle handle_on(const char *expression) {
    pyr_result result;
    must(evaluate(expression, PYR_REMOTE, &result));
    pyr_result_free(&result);
    return result.value.of.handle;
}

/* How many objects the host holds, once all releases that wait were made good. */
static inline size_t live_handles(void) {
    size_t live = 0, pending = 1;
    while (pending > 0) {
        must(pyr_counters(&live, &pending));
    }
    return live;
}

static inline int same_text(const char *expected, const uint8_t *bytes, size_t length) {
    return strlen(expected) == length && (length == 0 || memcmp(expected, bytes, length) == 0);
}

static inline int finish(void) {
    printf("%d passed, %d failed\n", checks_passed, checks_failed);
    return checks_failed > 0;
}

#endif
