/*
 * threads.c: any thread may call, without being prepared or registered. Each call takes Python's lock,
 * the GIL, and drops it, so threads take turns call by call; a thread that has many small calls to
 * make can hold it over them.
 */
#define _POSIX_C_SOURCE 200809L
#include "cells.h"
#include <pthread.h>

#define THREADS 4
#define CALLS 10000

/* The name is prepared once; all threads use it. */
static pyr_name add;

struct work {
    int hold;
    int64_t sum;
};

static void *add_up(void *argument) {
    struct work *work = (struct work *)argument;
    pyr_value function = cell_name(add), numbers[2];
    pyr_result result;
    int i;

    if (work->hold) {
        /* Cheaper for this thread, but the others wait: hold it for a moment, not while you block. */
        must(pyr_gil_acquire());
    }
    for (i = 1; i <= CALLS; i++) {
        numbers[0] = cell_int(work->sum);
        numbers[1] = cell_int(i);
        must(pyr_call(&function, numbers, 2, 0, 0, &result));
        work->sum = result.value.of.integer;
        /* A number is in the cell itself, but freeing what has no memory costs next to nothing. */
        pyr_result_free(&result);
    }
    if (work->hold) {
        must(pyr_gil_release());
    }
    return NULL;
}

static int run(const char *how, int hold) {
    pthread_t threads[THREADS];
    struct work works[THREADS];
    int i, wrong = 0;

    for (i = 0; i < THREADS; i++) {
        works[i].hold = hold;
        works[i].sum = 0;
        if (pthread_create(&threads[i], NULL, add_up, &works[i]) != 0) {
            exit(1);
        }
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        printf("%s, thread %d: 1 + ... + %d = %ld\n", how, i, CALLS, (long)works[i].sum);
        wrong += works[i].sum != (int64_t)CALLS * (CALLS + 1) / 2;
    }
    return wrong;
}

int main(int argc, char **argv) {
    static const char name[] = "operator.add";
    pyr_value module = cell_text("operator");

    start_python(argc, argv);
    must(pyr_import(&module, NULL, 0, NULL));
    must(pyr_intern((const uint8_t *)name, sizeof name - 1, &add));
    return run("by turns", 0) + run("holding the GIL", 1) > 0;
}
