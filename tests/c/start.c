/* Starting Python: what is refused before, many threads at once, and what the host keeps. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>
#include <signal.h>

#define THREADS 16

static pyr_start_options options;
static pthread_barrier_t barrier;
static int64_t interpreters[THREADS];

/* Before the start, every function that needs Python says so, and none of them crashes. */
static void refused(void) {
    pyr_value value = cell_text("abs");
    pyr_result result;
    pyr_name name = 0;
    pyr_error error;
    size_t count = 0;
    int32_t same = 0;

    CHECK(!pyr_is_running());
    CHECK_OK(pyr_error_last(&error, 1));
    CHECK(error.status == PYR_OK && error.message_length == 0 && error.exception == 0);
    memset(&result, 0, sizeof result);
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_intern((const uint8_t *)"abs", 3, &name));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_get(&value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_set(&value, &value));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_call(&value, &value, 1, 0, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_call_method(&value, &value, NULL, 0, 0, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_getattr(&value, &value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_setattr(&value, &value, &value));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_getitem(&value, &value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_setitem(&value, &value, &value));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_convert(&value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_str(&value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_repr(&value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_type_name(&value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_is(&value, &value, &same));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_import(&value, NULL, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_import_from(&value, &value, NULL, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_eval(&value, 1, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_exec(&value, 1));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_format_exception(1, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_retain(1));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_counts(1, &count, &count));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_counters(&count, &count));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_gil_acquire());
    CHECK_STATUS(PYR_GIL_NOT_HELD, pyr_gil_release());
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_test_panic());
    CHECK(name == 0 && count == 0 && same == 0 && result.value.tag == 0);
    CHECK_OK(pyr_release(1));
    CHECK_OK(pyr_stop());
    pyr_result_free(&result);
    pyr_result_free(NULL);
    pyr_error_clear();
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_start(NULL));
    options.size--;
    CHECK_STATUS(PYR_INVALID_SIZE, pyr_start(&options));
    options.size++;
    CHECK(!pyr_is_running());
}

static void *start(void *place) {
    pyr_result result;
    pthread_barrier_wait(&barrier);
    CHECK_OK(pyr_start(&options));
    CHECK(pyr_is_running());
    if (CHECK_OK(evaluate("id(__import__('sys').modules)", 0, &result))) {
        *(int64_t *)place = result.value.of.integer;
        pyr_result_free(&result);
    }
    return NULL;
}

static void at_once(void) {
    pthread_t threads[THREADS];
    int i;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, start, &interpreters[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&barrier);
    for (i = 0; i < THREADS; i++) {
        CHECK(interpreters[i] != 0 && interpreters[i] == interpreters[0]);
    }
    /* Once more changes nothing. */
    CHECK_OK(pyr_start(&options));
}

/* What Python is, is what the executable is when it is run by itself. */
static void as_the_executable(const char *path) {
    pyr_value name = cell_text("given"), value = cell_text(path);
    CHECK_OK(pyr_set(&name, &value));
    execute("import subprocess, sys\n"
            "def told(expression):\n"
            "    program = 'import sys; print(%s)' % expression\n"
            "    return subprocess.check_output([given, '-c', program]).decode().strip()\n");
    CHECK(is_true("sys.executable == given"));
    CHECK(is_true("repr(sys.prefix) == told('repr(sys.prefix)')"));
    CHECK(is_true("repr(sys.version) == told('repr(sys.version)')"));
    CHECK(is_true("repr([p for p in sys.path if p]) == told('[p for p in sys.path if p]')"));
    CHECK(is_true("len(__import__('site').getsitepackages()) > 0"));
}

static void handler(int signal_number) { (void)signal_number; }

int main(int argc, char **argv) {
    struct sigaction interrupt, broken_pipe, after;
    if (argc < 2) {
        return 2;
    }
    options = options_for(argv[1]);
    memset(&interrupt, 0, sizeof interrupt);
    interrupt.sa_handler = handler;
    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGPIPE, NULL, &broken_pipe);

    refused();
    at_once();
    as_the_executable(argv[1]);
    sigaction(SIGINT, NULL, &after);
    CHECK(after.sa_handler == handler);
    sigaction(SIGPIPE, NULL, &after);
    CHECK(after.sa_handler == broken_pipe.sa_handler);
    return finish();
}
