/* What C lends to Python: memory, objects and functions; and being told when Python let go of them. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define THREADS 8
#define ROUNDS 1000

/* How often the host was told of the loans whose context is such a counter. */
static void count(uint64_t id, void *context) {
    (void)id;
    __atomic_fetch_add((int *)context, 1, __ATOMIC_RELAXED);
}

static pyr_host host;

static int counted(int *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

static pyr_value cell_loan(pyr_loan *loan) {
    pyr_value made = cell(PYR_LOAN, 0);
    made.of.loan = loan;
    return made;
}

static pyr_loan loan_of(uint64_t id, pyr_loan_kind kind, int *counter) {
    pyr_loan made;
    memset(&made, 0, sizeof made);
    made.id = id;
    made.kind = kind;
    if (counter != NULL) {
        made.host = &host;
        made.context = counter;
    }
    return made;
}

static pyr_status call_with(const char *function, const pyr_value *arguments, uint32_t length, pyr_result *result) {
    pyr_value callable = cell_text(function);
    return pyr_call(&callable, arguments, length, 0, 0, result);
}

/* Call a function with one loan, for its effect. */
static void apply(const char *function, pyr_loan *loan) {
    pyr_value argument = cell_loan(loan);
    pyr_result result;
    if (CHECK_OK(call_with(function, &argument, 1, &result))) {
        pyr_result_free(&result);
    }
}

/* How many releases wait to be asked for; they are taken. */
static size_t take_all(uint64_t *last) {
    uint64_t ids[5];
    size_t taken = 5, sum = 0;
    while (taken == 5) {
        CHECK_OK(pyr_take_released(ids, 5, &taken));
        sum += taken;
        if (taken > 0) {
            *last = ids[taken - 1];
        }
    }
    return sum;
}

static int has_numpy(void) {
    pyr_value numpy = cell_text("numpy");
    pyr_error error;
    if (pyr_import(&numpy, NULL, 0, NULL) == PYR_OK) {
        return 1;
    }
    pyr_error_last(&error, 0);
    pyr_release(error.exception);
    pyr_error_clear();
    return 0;
}

static void objects(void) {
    pyr_loan_kind kinds[] = {PYR_LENT_OBJECT, PYR_LENT_FUNCTION};
    pyr_result result;
    size_t i;
    for (i = 0; i < COUNT(kinds); i++) {
        int told = 0;
        pyr_loan loan = loan_of((UINT64_C(1) << 62) - 1 - i, kinds[i], &told);
        pyr_value arguments[2];
        arguments[0] = arguments[1] = cell_loan(&loan);
        CHECK_OK(call_with("lambda a, b: [a is b, a, {a: 1}[b]]", arguments, 2, &result));
        if (CHECK(result.value.tag == PYR_LIST && result.value.aux == 3)) {
            const pyr_value *items = result.value.of.items;
            CHECK(items[0].of.integer == 1);
            CHECK(items[1].tag == PYR_HOST && items[1].aux == kinds[i] && items[1].of.id == loan.id);
        }
        pyr_result_free(&result);
        CHECK(loan.kept == 0 && counted(&told) == 0);
        apply("lambda x: globals().update(loans_kept=x)", &loan);
        CHECK(loan.kept == 1 && counted(&told) == 0);
        apply("lambda x: globals().update(loans_same=x is loans_kept)", &loan);
        CHECK(is_true("loans_same") && loan.kept == 1);
        execute("del loans_kept");
        CHECK(loan.kept == 1 && counted(&told) == 1);
    }
}

/* A host without a function asks what was released. */
static void asked(void) {
    pyr_loan loan = loan_of(7, PYR_LENT_OBJECT, NULL);
    uint64_t id = 0;
    size_t waiting = 77;
    apply("lambda x: globals().update(loans_kept=x)", &loan);
    CHECK_OK(pyr_take_released(NULL, 0, &waiting));
    CHECK(waiting == 0 && loan.kept == 1);
    execute("del loans_kept");
    CHECK_OK(pyr_take_released(NULL, 0, &waiting));
    CHECK(waiting == 1);
    CHECK(take_all(&id) == 1 && id == 7);
    CHECK(take_all(&id) == 0);
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_take_released(NULL, 1, &waiting));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_take_released(&id, 1, NULL));
}

static void refused_is(pyr_status expected, pyr_loan *loan) {
    pyr_value arguments[2];
    pyr_result result;
    arguments[0] = cell_loan(loan);
    arguments[1] = cell_int(1);
    CHECK_STATUS(expected, call_with("lambda *a: 1", arguments, 2, &result));
    CHECK(loan == NULL || loan->kept == 0);
}

static void refused(void) {
    pyr_loan good = loan_of(1, PYR_LENT_OBJECT, NULL), bad;
    pyr_host small = host;
    small.size = 8;
    refused_is(PYR_NULL_ARGUMENT, NULL);
    bad = good, bad.id = UINT64_C(1) << 62, refused_is(PYR_INVALID_FLAGS, &bad);
    bad = good, bad.flags = 2, refused_is(PYR_INVALID_FLAGS, &bad);
    bad = good, bad.reserved = 1, refused_is(PYR_INVALID_FLAGS, &bad);
    bad = good, bad.kind = 0, refused_is(PYR_INVALID_TAG, &bad);
    bad = good, bad.kind = 99, refused_is(PYR_INVALID_TAG, &bad);
    bad = good, bad.host = &small, refused_is(PYR_INVALID_SIZE, &bad);
    bad = good, bad.kind = PYR_LENT_ARRAY, refused_is(PYR_NULL_ARGUMENT, &bad);
}

/* The array is on this memory, in the order that the strides say, for as long as Python has it. */
static void arrays(void) {
    size_t dimensions[2] = {2, 3};
    ptrdiff_t fortran[2] = {8, 16};
    double *numbers = (double *)malloc(6 * sizeof *numbers);
    int told = 0, i;
    pyr_loan loan = loan_of(11, PYR_LENT_ARRAY, &told);
    pyr_array array;
    pyr_value argument = cell_loan(&loan);
    pyr_result result;

    for (i = 0; i < 6; i++) {
        numbers[i] = i;
    }
    array.data = numbers;
    array.dimensions = dimensions;
    array.rank = 2;
    array.element = PYR_FLOAT64;
    loan.array = &array;
    CHECK_OK(call_with("lambda a: (a.__imul__(2), a)[1]", &argument, 1, &result));
    CHECK(result.value.tag == PYR_HOST && result.value.aux == PYR_LENT_ARRAY && result.value.of.id == 11);
    pyr_result_free(&result);
    CHECK(numbers[5] == 10 && loan.kept == 0);

    loan.strides = fortran;
    CHECK_OK(call_with("lambda a: a[1].sum()", &argument, 1, &result));
    CHECK(result.value.tag == PYR_FLOAT && result.value.of.real == 2 + 6 + 10);
    pyr_result_free(&result);
    loan.strides = NULL;

    loan.flags = PYR_READ_ONLY;
    CHECK_STATUS(PYR_PYTHON_ERROR, call_with("lambda a: a.fill(0)", &argument, 1, &result));
    pyr_error_clear();
    CHECK(live_handles() == 0);
    CHECK(numbers[5] == 10 && (int)loan.kept == counted(&told));
    loan.flags = 0;
    loan.kept = 0;
    told = 0;

    /* A view of a view has the memory, and Python writes to it after the call. */
    apply("lambda a: globals().update(loans_view=a[1][1:])", &loan);
    CHECK(loan.kept == 1 && counted(&told) == 0);
    memset(&array, 0xFF, sizeof array);
    memset(dimensions, 0xFF, sizeof dimensions);
    execute("loans_view += 0.5");
    CHECK(numbers[4] == 8.5 && numbers[5] == 10.5);
    execute("del loans_view");
    CHECK(counted(&told) == 1);
    free(numbers);
}

/* What a result names stays until the result is freed, though Python let go of it. */
static void named(void) {
    int told = 0;
    pyr_loan loan = loan_of(12, PYR_LENT_OBJECT, &told);
    pyr_value argument = cell_loan(&loan);
    pyr_result result;
    CHECK_OK(call_with("lambda x: (globals().update(loans_kept=x), [x])[1]", &argument, 1, &result));
    execute("del loans_kept");
    CHECK(live_handles() == 0);
    CHECK(loan.kept == 1 && counted(&told) == 0);
    CHECK(result.value.of.items[0].of.id == 12);
    pyr_result_free(&result);
    CHECK(live_handles() == 0);
    CHECK(counted(&told) == 1);
}

static void failing(void) {
    int told = 0;
    pyr_loan loan = loan_of(13, PYR_LENT_OBJECT, &told);
    pyr_value arguments[3];
    pyr_result result;
    arguments[0] = arguments[2] = cell_loan(&loan);
    arguments[1] = cell(0, 0);
    CHECK_STATUS(PYR_INVALID_TAG, call_with("print", arguments, 3, &result));
    CHECK(loan.kept == 0);
    execute("def loans_fail(x): raise ValueError");
    CHECK_STATUS(PYR_PYTHON_ERROR, call_with("loans_fail", arguments, 1, &result));
    /* The traceback has it. */
    CHECK(loan.kept == 1 && counted(&told) == 0);
    pyr_error_clear();
    CHECK(live_handles() == 0);
    CHECK(counted(&told) == 1);
}

static int all_told, all_kept;

static void *on_thread(void *argument) {
    uint64_t first = *(uint64_t *)argument;
    int i, rounds = repeated(ROUNDS);
    for (i = 0; i < rounds; i++) {
        pyr_loan loan = loan_of(first + (uint64_t)i, PYR_LENT_OBJECT, &all_told);
        apply("loans_box.append", &loan);
        CHECK(loan.kept <= 1);
        __atomic_fetch_add(&all_kept, (int)loan.kept, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void many_threads(void) {
    pthread_t threads[THREADS];
    uint64_t firsts[THREADS];
    int i;
    execute("import collections; loans_box = collections.deque(maxlen=20)");
    for (i = 0; i < THREADS; i++) {
        firsts[i] = 100000 + (uint64_t)i * ROUNDS;
        CHECK(pthread_create(&threads[i], NULL, on_thread, &firsts[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    execute("loans_box.clear()");
    CHECK(all_kept > 0 && counted(&all_told) == all_kept);
}

int main(int argc, char **argv) {
    uint64_t id;
    host.size = sizeof host;
    host.release = count;
    start_python(argc, argv);
    objects();
    asked();
    refused();
    if (has_numpy()) {
        arrays();
    }
    named();
    failing();
    many_threads();
    CHECK(take_all(&id) == 0);
    CHECK(live_handles() == 0);
    return finish();
}
