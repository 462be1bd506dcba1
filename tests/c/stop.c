/* Stopping Python and starting it again: what is gone, what stays, and who may do it when. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

static int stopped = 0;

static void stop_and_start(int argc, char **argv) {
    pyr_handle old = handle_on("object()"), made;
    pyr_value value = cell_handle(old), name;
    pyr_result result, text;
    pyr_name interned;
    size_t count = 0;

    execute("import sys, weakref\n"
            "class Thing: pass\n"
            "thing = Thing(); thing.itself = thing\n"
            "sys.gone = []\n"
            "sys.watched = weakref.ref(thing, sys.gone.append)\n");
    must(pyr_intern((const uint8_t *)"len", 3, &interned));
    must(evaluate("'x' * 1000", 0, &text));
    CHECK_OK(pyr_stop());
    CHECK(!pyr_is_running());
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_str(&value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_retain(old));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_counts(old, &count, &count));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_gil_acquire());
    /* What was got before can be read and freed, and releasing is always allowed. */
    CHECK(text.value.aux == 1000 && text.value.of.bytes[999] == 'x');
    pyr_result_free(&text);
    CHECK_OK(pyr_release(old));
    CHECK_OK(pyr_stop());

    start_python(argc, argv);
    CHECK(pyr_is_running() && live_handles() == 0);
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_str(&value, 0, &result));
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_retain(old));
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_counts(old, &count, &count));
    CHECK(is_true("'thing' not in globals() and 'weakref' not in globals()"));
    CHECK(is_true("__name__ == '__main__' and len(__import__('sys').gone) == 1"));

    /* The old handle does not name what is in its place now. */
    made = handle_on("object()");
    CHECK(made != old);
    CHECK_OK(pyr_release(old));
    CHECK_OK(pyr_counts(made, &count, NULL));
    CHECK(count == 1);
    CHECK_OK(pyr_release(made));

    name = cell_name(interned);
    value = cell_text("four");
    CHECK_OK(pyr_call(&name, &value, 1, 0, 0, &result));
    CHECK(result.value.of.integer == 4);
}

/* An error record from before a stop, and its exception, are still there after it. */
static void error_over_stop(int argc, char **argv) {
    pyr_value source = cell_text("raise ValueError('before')");
    pyr_error error;
    pyr_handle exception;
    size_t count = 0;
    CHECK_STATUS(PYR_PYTHON_ERROR, pyr_exec(&source, 1));
    CHECK_OK(pyr_stop());
    CHECK_OK(pyr_error_last(&error, 1));
    CHECK(error.status == PYR_PYTHON_ERROR && same_text("before", error.message, error.message_length));
    exception = error.exception;
    CHECK(exception != 0);
    start_python(argc, argv);
    CHECK_OK(pyr_counts(exception, &count, NULL));
    CHECK(count == 1);
    CHECK_OK(pyr_release(exception));
    CHECK_OK(pyr_error_last(&error, 1));
    CHECK(error.traceback_length > 0 && error.exception != 0);
    CHECK_OK(pyr_release(error.exception));
}

static void stop_in_hold(int argc, char **argv) {
    CHECK_OK(pyr_gil_acquire());
    CHECK_OK(pyr_gil_acquire());
    CHECK_OK(pyr_stop());
    CHECK_OK(pyr_gil_release());
    CHECK_OK(pyr_gil_release());
    CHECK_STATUS(PYR_GIL_NOT_HELD, pyr_gil_release());
    start_python(argc, argv);
    CHECK(is_true("1 < 2"));
}

/* Calls until Python is stopped under it; the call that it is in then comes to its end. */
static void *call_on(void *unused) {
    pyr_value function = cell_text("sum"), numbers[3], list = cell_items(PYR_LIST, numbers, 3);
    pyr_result result;
    int wrong = 0;
    (void)unused;
    numbers[0] = numbers[1] = numbers[2] = cell_int(14);
    while (!__atomic_load_n(&stopped, __ATOMIC_ACQUIRE)) {
        pyr_status status = pyr_call(&function, &list, 1, 0, 0, &result);
        if (status == PYR_OK) {
            wrong += result.value.tag != PYR_INT || result.value.of.integer != 42;
            pyr_result_free(&result);
        } else {
            wrong += status != PYR_NOT_RUNNING;
        }
    }
    CHECK(wrong == 0);
    return NULL;
}

static void under_load(int argc, char **argv) {
    pthread_t threads[4];
    int i;
    for (i = 0; i < 4; i++) {
        CHECK(pthread_create(&threads[i], NULL, call_on, NULL) == 0);
    }
    for (i = 0; i < repeated(200); i++) {
        pyr_handle handle = handle_on("object()");
        CHECK_OK(pyr_stop());
        start_python(argc, argv);
        CHECK_STATUS(PYR_STALE_HANDLE, pyr_retain(handle));
    }
    __atomic_store_n(&stopped, 1, __ATOMIC_RELEASE);
    for (i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    CHECK(live_handles() == 0 && is_true("1 < 2"));
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    stop_and_start(argc, argv);
    error_over_stop(argc, argv);
    stop_in_hold(argc, argv);
    under_load(argc, argv);
    return finish();
}
