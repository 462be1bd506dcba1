/* Many threads that call at once, threads that come and go, and what each has for itself. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

#define THREADS 8
#define CALLS 5000
#define SHORT_LIVED 200

/* Each kind of call says whether its result was right. */
static int call_number(int thread, int i) {
    pyr_value function = cell_text("operator.mul"), numbers[2];
    pyr_result result;
    numbers[0] = cell_int(thread);
    numbers[1] = cell_int(i);
    return pyr_call(&function, numbers, 2, 0, 0, &result) == PYR_OK && result.value.tag == PYR_INT &&
           result.value.of.integer == (int64_t)thread * i;
}

static int call_text(int thread, int i) {
    char text[40], upper[40];
    pyr_value object, name = cell_text("upper");
    pyr_result result;
    int good;
    snprintf(text, sizeof text, "thread %d, call %d", thread, i);
    snprintf(upper, sizeof upper, "THREAD %d, CALL %d", thread, i);
    object = cell_text(text);
    good = pyr_call_method(&object, &name, NULL, 0, 0, 0, &result) == PYR_OK &&
           same_text(upper, result.value.of.bytes, result.value.aux);
    pyr_result_free(&result);
    return good;
}

static int call_list(int thread, int i) {
    pyr_value function = cell_text("lambda n: [n, {'n': (n, str(n) * 200)}]"), number = cell_int(thread * CALLS + i);
    const pyr_value *pair;
    pyr_result result;
    int good;
    if (pyr_call(&function, &number, 1, 0, 0, &result) != PYR_OK) {
        return 0;
    }
    pair = result.value.of.items[1].of.items;
    good = result.value.of.items[0].of.integer == number.of.integer && pair[0].aux == 1 &&
           pair[1].of.items[0].of.integer == number.of.integer && pair[1].of.items[1].aux >= 200;
    pyr_result_free(&result);
    return good;
}

static int call_handle(int thread, int i) {
    pyr_value set = cell_handle(handle_on("set()")), name = cell_text("add"), number = cell_int(thread - i);
    pyr_result result;
    int good = pyr_call_method(&set, &name, &number, 1, 0, 0, &result) == PYR_OK;
    name = cell_text("__contains__");
    good &= pyr_call_method(&set, &name, &number, 1, 0, 0, &result) == PYR_OK && result.value.of.integer == 1;
    return good & (pyr_release(set.of.handle) == PYR_OK);
}

/* The error of a thread is its own, whatever the others do. */
static int call_error(int thread, int i) {
    char text[40], message[100];
    pyr_value function = cell_text("int"), object;
    pyr_error error;
    pyr_result result;
    snprintf(text, sizeof text, "t%d-%d", thread, i);
    snprintf(message, sizeof message, "invalid literal for int() with base 10: '%s'", text);
    object = cell_text(text);
    if (pyr_call(&function, &object, 1, 0, 0, &result) != PYR_PYTHON_ERROR || pyr_error_last(&error, 1) != PYR_OK) {
        return 0;
    }
    pyr_release(error.exception);
    return same_text(message, error.message, error.message_length) &&
           same_text("ValueError", error.type_name, error.type_name_length) && error.traceback_length > 0;
}

static int call_holding(int thread, int i) {
    int good = pyr_gil_acquire() == PYR_OK && pyr_gil_acquire() == PYR_OK;
    good &= call_number(thread, i) && call_text(thread, i);
    return good & (pyr_gil_release() == PYR_OK && pyr_gil_release() == PYR_OK);
}

static void *mixed(void *number) {
    int (*const kinds[])(int, int) = {call_number, call_text, call_list, call_handle, call_error, call_holding};
    int thread = *(int *)number, i, wrong = 0;
    pyr_value name = cell_text("local.value"), value = cell_int(thread);
    pyr_result result;

    CHECK_OK(pyr_set(&name, &value));
    for (i = 0; i < repeated(CALLS); i++) {
        wrong += !kinds[i % 6](thread, i);
    }
    CHECK(wrong == 0);
    /* It is the same thread to Python from the first call to the last. */
    CHECK_OK(pyr_get(&name, 0, &result));
    CHECK(result.value.tag == PYR_INT && result.value.of.integer == thread);
    CHECK_STATUS(PYR_GIL_NOT_HELD, pyr_gil_release());
    return NULL;
}

/* A thread that makes one call, and maybe ends in a hold, which its end undoes. */
static void *short_lived(void *hold) {
    if (*(int *)hold % 2) {
        CHECK_OK(pyr_gil_acquire());
    }
    execute("local.thing = made()");
    return NULL;
}

static void run(void *(*body)(void *), int count) {
    pthread_t threads[THREADS];
    int numbers[THREADS], i;
    for (i = 0; i < count; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&threads[i], NULL, body, &numbers[i]) == 0);
    }
    for (i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
}

int main(int argc, char **argv) {
    int i;
    start_python(argc, argv);
    execute("import operator, sys, threading, weakref\n"
            "local = threading.local()\n"
            "class Thing: pass\n"
            "watched, gone = [], []\n"
            "def made():\n"
            "    thing = Thing()\n"
            "    watched.append(weakref.ref(thing, gone.append))\n"
            "    return thing\n");
    run(mixed, THREADS);
    for (i = 0; i < SHORT_LIVED / THREADS; i++) {
        run(short_lived, THREADS);
    }
    /* What a thread had for itself ends with it, and so does its entry in Python. */
    CHECK(is_true("len(watched) == 200 and len(gone) == 200"));
    CHECK(is_true("len(sys._current_frames()) <= 2"));
    CHECK(is_true("not hasattr(local, 'thing') and not hasattr(local, 'value')"));
    CHECK(live_handles() == 0);
    return finish();
}
