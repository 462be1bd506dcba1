/* Python calls functions of the host, by ctypes, and these call Python again. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

typedef void (*function)(void);

static function of_python;

static void host(void) { CHECK(is_true("calls.append(1) or sum([1, 2]) == 3")); }

/* Some of Python's ways to call C keep the GIL, others drop it: both on threads of every kind. */
static void define(const char *kind) {
    char source[400];
    pyr_result result;
    snprintf(source, sizeof source,
             "import ctypes, threading\n"
             "calls = []\n"
             "host = ctypes.%s(None)(%llu)\n"
             "of_python = ctypes.CFUNCTYPE(None)(lambda: host())\n",
             kind, (unsigned long long)(uintptr_t)host);
    execute(source);
    must(evaluate("ctypes.cast(of_python, ctypes.c_void_p).value", 0, &result));
    of_python = (function)(uintptr_t)result.value.of.integer;
}

/* The thread's first way into Python is not libpyrite, which must not keep what it finds there. */
static void *on_host_thread(void *unused) {
    (void)unused;
    of_python();
    host();
    of_python();
    host();
    return NULL;
}

static void called_back(const char *kind) {
    pthread_t thread;
    int i;
    define(kind);
    execute("for _ in range(100): host()");
    of_python();
    CHECK_OK(pyr_gil_acquire());
    execute("host()");
    CHECK_OK(pyr_gil_release());
    execute("threads = [threading.Thread(target=lambda: [host() for _ in range(50)]) for _ in range(4)]\n"
            "for thread in threads: thread.start()\n"
            "for thread in threads: thread.join()\n");
    for (i = 0; i < 10; i++) {
        CHECK(pthread_create(&thread, NULL, on_host_thread, NULL) == 0);
        pthread_join(thread, NULL);
    }
    CHECK(is_true("len(calls) == 100 + 1 + 1 + 200 + 40"));
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    called_back("PYFUNCTYPE");
    called_back("CFUNCTYPE");
    CHECK(live_handles() == 0);
    return finish();
}
