/*
 * Every function of the library is called with what it should not be: NULL, wrong kinds, forged and stale
 * numbers, bad text, absurd sizes, unknown tags and flags; from several threads, from inside calls, while
 * Python is stopped and started. Each must return a status, and nothing must be left.
 */
#define _POSIX_C_SOURCE 200809L
#include "attack_table.h"

#define THREADS 4
#define CALLS 260000

static pthread_key_t attacker_key;

/* Call one function; its status. */
static pyr_status attack(struct attacker *self) {
    int cells = self->cell_count, arrays = self->array_count, loans = self->loan_count, i;
    unsigned which = below(self, COUNT(table));
    pyr_status status;
    if (self->depth > 3 || cells > CELLS / 2) {
        return PYR_OK;
    }
    self->depth++;
    status = table[which].function(self);
    self->depth--;
    self->calls++;
    if (status >= COUNT(self->statuses) || status == PYR_PANIC) {
        pyr_error error;
        pyr_error_last(&error, 0);
        printf("%s: status %u: %.*s\n", table[which].name, (unsigned)status, (int)error.message_length,
               (const char *)error.message);
        status = PYR_PANIC;
    }
    self->statuses[status]++;
    for (i = loans; i < self->loan_count; i++) {
        __atomic_fetch_add(&loans_kept, (long)self->loans[i % CELLS].kept, __ATOMIC_RELAXED);
        self->loans[i % CELLS].kept = 0;
    }
    self->cell_count = cells;
    self->array_count = arrays;
    self->loan_count = loans;
    return status;
}

static int32_t attack_asked(pyr_question question, uint64_t id, void *context, const pyr_value *args, uint32_t nargs,
                            uint32_t nkwargs, pyr_reply *reply) {
    struct attacker *self = (struct attacker *)pthread_getspecific(attacker_key);
    const pyr_value *first, *second;
    uint32_t i;
    CHECK(question >= PYR_ASK_CALL && question <= PYR_ASK_DIR && id < UINT64_C(1) << 62 && context == &loans_told);
    if (self == NULL) {
        return 0;
    }
    for (i = 0; i < nargs + 2 * nkwargs; i++) {
        hold_all(self, &args[i]);
    }
    attack(self);
    if (self->cell_count > CELLS / 2) {
        return 0;
    }
    first = one(self);
    second = one(self);
    switch (below(self, 6)) {
    case 0: pyr_reply_value(reply, first); break;
    case 1: pyr_reply_raise(reply, first); break;
    case 2: pyr_reply_fail(reply, first, second, (int32_t)below(self, 2)); break;
    case 3: *reply->value = value_of(self); break;
    case 4: pyr_reply_value(reply, first); pyr_reply_value(reply, second); break;
    default: break;
    }
    return (int32_t)below(self, 2);
}

static void *attacks(void *argument) {
    struct attacker *self = (struct attacker *)argument;
    uint64_t calls = (uint64_t)repeated(CALLS);
    int i;
    CHECK(pthread_setspecific(attacker_key, self) == 0);
    while (self->calls < calls) {
        attack(self);
    }
    pthread_setspecific(attacker_key, NULL);
    for (i = 0; i < HELD; i++) {
        CHECK_OK(pyr_release(self->handles[i]));
        CHECK_OK(pyr_buffer_release(self->buffers[i]));
    }
    pyr_error_clear();
    return NULL;
}

/* Whether every function that the library exports is in the table. */
static void check_table(void) {
    FILE *symbols = fopen("tests/snapshots/symbols.txt", "r");
    char name[100];
    size_t i, found = 0;
    if (!CHECK(symbols != NULL)) {
        return;
    }
    while (fgets(name, sizeof name, symbols) != NULL) {
        name[strcspn(name, "\n")] = 0;
        for (i = 0; i < COUNT(table) && strcmp(table[i].name, name) != 0; i++) {
        }
        if (!CHECK(i < COUNT(table))) {
            printf("    %s\n", name);
        }
        found++;
    }
    CHECK(found == COUNT(table));
    fclose(symbols);
}

int main(int argc, char **argv) {
    static struct attacker attackers[THREADS];
    pthread_t threads[THREADS];
    const char *seed = getenv("PYRITE_SEED");
    unsigned statuses[COUNT(attackers[0].statuses)];
    uint64_t calls = 0, number_of_seed = seed == NULL ? 20250101 : strtoull(seed, NULL, 10), ids[100];
    size_t i, k, count;

    memset(statuses, 0, sizeof statuses);
    check_table();
    start_python(argc, argv);
    /* What is for the REPL only can be written to, or would read what is typed. */
    execute("import builtins\n"
            "for name in ('quit', 'exit', 'help', 'copyright', 'credits', 'license'):\n"
            "    vars(builtins).pop(name, None)\n");
    /* An interrupt in the middle of numpy's import leaves a numpy that can never be imported. */
    execute("try: import numpy\nexcept ImportError: pass\n");
    strncpy(executable, argv[1], sizeof executable - 1);
    pthread_key_create(&attacker_key, NULL);
    /* The program's own functions are there from the second start on. */
    for (i = 0; i < 5000 && !is_true("'attack_same' in globals()"); i++) {
        attackers[0].random = number_of_seed + i + 1;
        CHECK_OK(attack_pyr_stop(&attackers[0]));
    }
    printf("seed %lu\n", (unsigned long)number_of_seed);
    for (i = 0; i < THREADS; i++) {
        attackers[i].random = (number_of_seed + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        CHECK(pthread_create(&threads[i], NULL, attacks, &attackers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        calls += attackers[i].calls;
        for (k = 0; k < COUNT(statuses); k++) {
            statuses[k] += attackers[i].statuses[k];
        }
    }
    printf("%lu calls:", (unsigned long)calls);
    for (k = 0; k < COUNT(statuses); k++) {
        if (statuses[k] > 0) {
            printf(" %u times %u,", statuses[k], (unsigned)k);
        }
    }
    printf("\n");
    CHECK(statuses[PYR_PANIC] == 0);
    for (i = 0; i < COUNT(watched); i++) {
        pyr_watch_type((const uint8_t *)watched[i], strlen(watched[i]), 0);
    }
    /* Python works, and nothing is left: no hold, no handle, no buffer, no loan. */
    CHECK_STATUS(PYR_GIL_NOT_HELD, pyr_gil_release());
    execute("for name in [name for name in globals() if name[:2] != '__']: del globals()[name]");
    /* The module that was attacked may have anything in it by now. */
    execute("import gc, sys; sys.modules.pop('colorsys', None); __annotations__ = {}; gc.collect()");
    CHECK(is_true("sum(range(10)) == 45 and [len('abc')] == [3]"));
    pyr_error_clear();
    CHECK(live_handles() == 0);
    CHECK(pyr_buffer_count() == 0);
    do {
        CHECK_OK(pyr_take_released(ids, COUNT(ids), &count));
        loans_told += (long)count;
    } while (count > 0);
    printf("%ld loans kept, %ld told\n", loans_kept, loans_told);
    CHECK(loans_kept == loans_told);
    return finish();
}
