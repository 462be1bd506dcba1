/*
 * share.c: memory of C is lent to Python. numpy works on the memory itself: nothing is copied, what it
 * writes is there for C to read, and it may keep the array after the call. Then C must wait with free():
 * it is told when Python let go.
 */
#include "cells.h"

/* What test runners take for "skipped". */
#define SKIPPED 77

#define LENGTH 1000

/* A buffer has an owner in C, and another one as long as Python keeps it. */
struct buffer {
    double *numbers;
    int owners;
};

static void let_go(struct buffer *buffer) {
    /* Both the main program and Python, on any thread, come here. */
    if (__atomic_sub_fetch(&buffer->owners, 1, __ATOMIC_ACQ_REL) == 0) {
        free(buffer->numbers);
        buffer->numbers = NULL;
        printf("the buffer is freed\n");
    }
}

/* Called once for each time that Python came to keep a loan. It must not call Python. */
static void released(uint64_t id, void *context) {
    printf("Python let go of loan %lu\n", (unsigned long)id);
    let_go((struct buffer *)context);
}

static int import_numpy(void) {
    pyr_value numpy = cell_text("numpy");
    pyr_error error;
    if (pyr_import(&numpy, NULL, 0, NULL) == PYR_OK) {
        return 1;
    }
    pyr_error_last(&error, 0);
    printf("skipped: %.*s\n", (int)error.message_length, (const char *)error.message);
    pyr_release(error.exception);
    return 0;
}

/* Call a function of Python's with the buffer. */
static void call_with(const char *function, struct buffer *buffer, const pyr_host *host, pyr_result *result) {
    const size_t dimensions[1] = {LENGTH};
    pyr_array array;
    pyr_loan loan;
    pyr_value callable = cell_text(function), argument = cell(PYR_LOAN, 0);

    array.data = buffer->numbers;
    array.dimensions = dimensions;
    array.rank = 1;
    array.element = PYR_FLOAT64;
    /* The loan itself is needed for the call only, and so is the description of the array. */
    memset(&loan, 0, sizeof loan);
    loan.id = 1;
    loan.kind = PYR_LENT_ARRAY;
    loan.array = &array;
    loan.host = host;
    loan.context = buffer;
    argument.of.loan = &loan;
    /* Python may keep the buffer, and let go of it, before the call returns: it is an owner from now on. */
    __atomic_add_fetch(&buffer->owners, 1, __ATOMIC_ACQ_REL);
    must(pyr_call(&callable, &argument, 1, 0, 0, result));
    if (loan.kept == 0) {
        /* It did not keep it, and so will not tell. */
        let_go(buffer);
    }
    printf("%s: Python %s the buffer\n", function, loan.kept > 0 ? "keeps" : "does not keep");
}

static void execute(const char *source) {
    pyr_value part = cell_text(source);
    must(pyr_exec(&part, 1));
}

int main(int argc, char **argv) {
    /* It lives as long as the process. */
    static pyr_host host;
    struct buffer buffer;
    pyr_result result;

    start_python(argc, argv);
    if (!import_numpy()) {
        return SKIPPED;
    }
    host.size = sizeof host;
    host.release = released;
    buffer.numbers = (double *)calloc(LENGTH, sizeof *buffer.numbers);
    buffer.owners = 1;
    if (buffer.numbers == NULL) {
        return 1;
    }
    execute("def fill(array):\n"
            "    array[:] = numpy.arange(len(array)) / 2\n"
            "    return array\n"
            "def keep(array):\n"
            "    global tail\n"
            "    tail = array[-3:]\n");

    /* Python fills the buffer in place. The array itself comes back as the number of its loan. */
    call_with("fill", &buffer, &host, &result);
    if (result.value.tag != PYR_HOST || result.value.of.id != 1) {
        fprintf(stderr, "that is not the array\n");
        return 1;
    }
    pyr_result_free(&result);
    printf("the last number is %g\n", buffer.numbers[LENGTH - 1]);

    /* A part of the array is on the same memory, and keeps it. */
    call_with("keep", &buffer, &host, &result);
    pyr_result_free(&result);
    execute("tail *= 10");
    printf("the last number is %g\n", buffer.numbers[LENGTH - 1]);

    /* C is done with the buffer, but Python is not: it is freed when Python is. */
    let_go(&buffer);
    execute("print('the tail is', tail, flush=True)");
    execute("del tail");
    return buffer.numbers != NULL;
}
