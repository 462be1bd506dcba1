/* An interpreter that the host itself has started, and finalizes: it is used as it is, and calls that come too
 * late are refused. Each case in a process of its own. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif
/* Of Python.h, which is not always installed. */
void Py_Initialize(void);
int Py_IsInitialized(void);
int Py_FinalizeEx(void);
int PyRun_SimpleString(const char *);
void *PyEval_SaveThread(void);
void PyEval_RestoreThread(void *);
#ifdef __cplusplus
}
#endif

#define THREADS 4

static pyr_start_options options;

static int is_interrupt_of(struct sigaction *before) {
    struct sigaction now;
    sigaction(SIGINT, NULL, &now);
    return now.sa_handler == before->sa_handler;
}

static void refused_for_good(pyr_handle kept) {
    pyr_value value = cell_handle(kept);
    pyr_result result;
    CHECK(!pyr_is_running());
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_str(&value, 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, evaluate("1", 0, &result));
    CHECK_STATUS(PYR_NOT_RUNNING, pyr_gil_acquire());
    CHECK_STATUS(PYR_START_FAILED, pyr_start(&options));
    CHECK_OK(pyr_stop());
    CHECK_OK(pyr_end(100));
    CHECK_OK(pyr_release(kept));
    pyr_error_clear();
}

/* The host's interpreter: with its variables, its signals, and the host as its owner. */
static void adopt(void) {
    struct sigaction interrupt;
    pyr_handle kept;
    Py_Initialize();
    CHECK(PyRun_SimpleString("import faulthandler, sys; faulthandler.enable()\n"
                             "sys.of_host, line_buffering = 6, sys.stdout.line_buffering\n") == 0);
    sigaction(SIGINT, NULL, &interrupt);
    options.flags = PYR_KEEP_SIGNALS;
    CHECK_OK(pyr_start(&options));
    CHECK(is_interrupt_of(&interrupt));
    CHECK(is_true("sys.of_host == 6 and line_buffering == sys.stdout.line_buffering"));
    CHECK(is_true("faulthandler.is_enabled()"));
    /* The host has the GIL as before. */
    CHECK(PyRun_SimpleString("import _decimal, json; of_host = _decimal.Decimal(7)") == 0);
    CHECK(is_true("str(of_host) == '7'"));
    CHECK_OK(pyr_stop());
    CHECK(Py_IsInitialized());
    CHECK(PyRun_SimpleString("import json; json.dumps(1)") == 0);
    CHECK_OK(pyr_start(&options));
    kept = handle_on("object()");
    CHECK(is_interrupt_of(&interrupt));
    CHECK_OK(pyr_end(1000));
    CHECK(is_true("1 + 1 == 2"));
    CHECK(Py_FinalizeEx() == 0);
    refused_for_good(kept);
}

static void *call(void *count) {
    pyr_result result;
    pyr_status status;
    do {
        status = evaluate("sum(range(100))", 0, &result);
        if (status == PYR_OK) {
            CHECK(result.value.of.integer == 4950);
            pyr_result_free(&result);
            ++*(long *)count;
        }
    } while (status == PYR_OK);
    CHECK(status == PYR_NOT_RUNNING);
    return NULL;
}

static void *hold(void *count) {
    pyr_status status;
    while ((status = pyr_gil_acquire()) == PYR_OK) {
        pyr_result result;
        if (evaluate("1", 0, &result) == PYR_OK) {
            ++*(long *)count;
        }
        CHECK_OK(pyr_gil_release());
    }
    CHECK(status == PYR_NOT_RUNNING);
    return NULL;
}

/* The host finalizes while threads call all the time. */
static void finalize_while_called(void) {
    pthread_t threads[THREADS];
    long counts[THREADS] = {0};
    const struct timespec moment = {0, 20 * 1000 * 1000};
    void *state;
    int i;
    Py_Initialize();
    CHECK_OK(pyr_start(&options));
    state = PyEval_SaveThread();
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, i % 2 ? hold : call, &counts[i]) == 0);
    }
    nanosleep(&moment, NULL);
    PyEval_RestoreThread(state);
    Py_FinalizeEx();
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    refused_for_good(1);
}

/* One that this library started may be finalized by the host, too. */
static void finalize_ours(void) {
    pyr_handle kept;
    CHECK_OK(pyr_start(&options));
    kept = handle_on("[object()]");
    CHECK_OK(pyr_gil_acquire());
    CHECK(Py_FinalizeEx() == 0);
    refused_for_good(kept);
}

/* Run a case in a process of its own, which does not go on for ever. */
static void in_child(void (*run)(void)) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(100);
        run();
        fflush(stdout);
        _exit(checks_failed == 0 && checks_passed > 0 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    if (!CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        printf("    status %#x\n", (unsigned)status);
    }
}

int main(int argc, char **argv) {
    int i;
    if (argc < 2) {
        return 2;
    }
    options = options_for(argv[1]);
    in_child(adopt);
    in_child(finalize_ours);
    for (i = 0; i < repeated(50); i++) {
        in_child(finalize_while_called);
    }
    return finish();
}
