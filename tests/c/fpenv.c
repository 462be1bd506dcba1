/*
 * A host that lets floating-point exceptions trap, as Lisps do: Python computes all the same, and
 * afterwards the host's exceptions trap as before.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRAPS (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW)

/* Whether a division by zero in the host still raises SIGFPE: in a child, since it ends by that. */
static int host_traps(void) {
    int ending = 0;
    pid_t child = fork();
    if (child == 0) {
        volatile double zero = 0;
        signal(SIGFPE, SIG_DFL);
        zero = 1 / zero;
        _exit(zero > 0 ? 1 : 0);
    }
    waitpid(child, &ending, 0);
    return WIFSIGNALED(ending) && WTERMSIG(ending) == SIGFPE;
}

static void unchanged(const char *after) {
    if (!CHECK(fegetexcept() == TRAPS) || !CHECK(fegetround() == FE_UPWARD)) {
        printf("    after %s\n", after);
    }
}

static void computes(void) {
    const char *const expressions[] = {
        "(lambda inf: (inf - inf) != (inf - inf))(float('inf'))",
        "1e308 * 10 == float('inf')",
        "(lambda tiny: tiny * tiny == 0)(5e-324)",
        "not float('nan') > 1 and not float('nan') == float('nan')",
        "float('inf') * 0 != 0",
        /* In Python numbers are rounded to nearest, whatever the host does. */
        "0.1 + 0.2 == 0.30000000000000004 and 1 / 3 + 1e-17 == 1 / 3",
        "str(10**400).startswith('1') and float('1e400') == float('inf')",
        "__import__('decimal').Decimal(2).sqrt() > 1",
        "__import__('json').loads('[1e999, -1e999, NaN]')[0] > 1e308",
        "__import__('statistics').mean([1e308, 1e308]) > 0",
    };
    size_t i;
    for (i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        CHECK(is_true(expressions[i]));
        unchanged(expressions[i]);
    }
}

static void fails(const char *source, const char *type_name) {
    pyr_value part = cell_text(source);
    pyr_error error;
    CHECK_STATUS(PYR_PYTHON_ERROR, pyr_exec(&part, 1));
    unchanged(source);
    CHECK_OK(pyr_error_last(&error, 1));
    unchanged("pyr_error_last");
    CHECK(same_text(type_name, error.type_name, error.type_name_length));
    CHECK_OK(pyr_release(error.exception));
}

static void passes_values(void) {
    pyr_value function = cell_text("lambda x: x - x"), infinity = cell_float(0), name = cell_text("infinity");
    pyr_result result;
    const uint64_t bits = (uint64_t)0x7FF << 52;
    memcpy(&infinity.of.real, &bits, sizeof bits);
    CHECK_OK(pyr_call(&function, &infinity, 1, 0, 0, &result));
    unchanged("pyr_call");
    CHECK_OK(pyr_set(&name, &infinity));
    unchanged("pyr_set");
    CHECK(is_true("infinity == float('inf')"));
    CHECK_OK(pyr_gil_acquire());
    unchanged("pyr_gil_acquire");
    CHECK(is_true("infinity - infinity != 0"));
    unchanged("a call in a hold");
    CHECK_OK(pyr_gil_release());
    unchanged("pyr_gil_release");
    CHECK_OK(pyr_release(handle_on("object()")));
    CHECK_STATUS(PYR_PANIC, pyr_test_panic());
    unchanged("a panic");
}

static void *on_thread(void *unused) {
    (void)unused;
    unchanged("being made");
    computes();
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t thread;
    feenableexcept(TRAPS);
    fesetround(FE_UPWARD);
    if (fegetexcept() != TRAPS || !host_traps()) {
        printf("skipped: floating-point exceptions do not trap here\n");
        return SKIPPED;
    }
    start_python(argc, argv);
    unchanged("pyr_start");
    computes();
    fails("import math; math.sqrt(-1)", "ValueError");
    fails("import math; math.exp(1000)", "OverflowError");
    fails("1e308 ** 2", "OverflowError");
    fails("int(float('nan'))", "ValueError");
    fails("1.0 / 0.0", "ZeroDivisionError");
    passes_values();
    /* Threads of Python begin with Python's environment. */
    execute("import threading\n"
            "thread = threading.Thread(target=lambda: results.append(1e308 * 10))\n"
            "results = []; thread.start(); thread.join()");
    CHECK(is_true("results == [float('inf')]"));
    CHECK(pthread_create(&thread, NULL, on_thread, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK_OK(pyr_stop());
    unchanged("pyr_stop");
    CHECK(host_traps());
    return finish();
}
