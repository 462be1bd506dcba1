/*
 * A host that lets floating-point exceptions trap and says that it computes nothing with the x87 unit:
 * those that it does compute trap as before, and those of x87 are masked from its first call on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"
#include <fenv.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Whether a division by zero still raises SIGFPE: in a child, since it ends by that. */
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

/* Whether the x87 unit's exceptions are masked, as a call leaves them. */
static int x87_is_masked(void) {
#if defined(__x86_64__)
    uint16_t word = 0;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return (word & 0x3F) == 0x3F;
#else
    return 1;
#endif
}

int main(int argc, char **argv) {
    pyr_start_options options;
    if (argc < 2) {
        return 2;
    }
    feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW);
    if (!host_traps()) {
        printf("skipped: floating-point exceptions do not trap here\n");
        return SKIPPED;
    }
    options = options_for(argv[1]);
    options.flags = PYR_NO_X87;
    CHECK_OK(pyr_start(&options));
    CHECK(host_traps());
    CHECK(is_true("(lambda inf: (inf - inf) != (inf - inf))(float('inf'))"));
    CHECK(is_true("1e308 * 10 == float('inf')"));
    CHECK(is_true("0.1 + 0.2 == 0.30000000000000004"));
    CHECK(host_traps());
    /* Some runtimes set both units' words whenever they change one: the next call masks again. */
    feenableexcept(FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW);
    CHECK(is_true("1e308 * 10 == float('inf')"));
    CHECK(is_true("__import__('ctypes').c_longdouble(1e308).value * 10 == float('inf')"));
    CHECK(x87_is_masked());
    CHECK_OK(pyr_gil_acquire());
    CHECK(host_traps());
    CHECK_OK(pyr_gil_release());
    CHECK_OK(pyr_stop());
    CHECK(host_traps());
    return finish();
}
