/*
 * callback.c: Python calls a function of C. A function is lent, as memory is: by a number, together with a
 * host that answers Python's questions about it. Here it is the key by which Python sorts a list; it raises
 * an error for what has no key; and C is told when Python has let go of it.
 */
#include "cells.h"

/* What the loan's context points to: whatever the function needs. */
struct function {
    int calls;
    int released;
};

/* The number of vowels in a cell's text; -1 when it is no text. */
static int64_t vowels(const pyr_value *text) {
    int64_t count = 0;
    uint32_t i;
    if (text->tag != PYR_UTF8) {
        return -1;
    }
    for (i = 0; i < text->aux; i++) {
        count += memchr("aeiou", text->of.bytes[i], 5) != NULL;
    }
    return count;
}

/*
 * What Python asks. 1 says that the answer is in reply; 0 that there is none, and Python raises its usual
 * error. It is called without the GIL, on whatever thread the Python code runs on.
 */
static int32_t ask(pyr_question question, uint64_t id, void *context, const pyr_value *args, uint32_t nargs,
                   uint32_t nkwargs, pyr_reply *reply) {
    struct function *function = (struct function *)context;
    pyr_value text = cell_text("<vowels, a function of C>"), exception = cell(PYR_NAME, 0);
    int64_t count;
    (void)id;
    if (question == PYR_ASK_REPR) {
        return pyr_reply_value(reply, &text) == PYR_OK;
    }
    if (question != PYR_ASK_CALL) {
        return 0;
    }
    function->calls++;
    if (nargs != 1 || nkwargs != 0) {
        /* One of Python's exceptions: a name of its class, or a handle on an instance. */
        must(pyr_intern((const uint8_t *)"TypeError", 9, &exception.of.name));
        return pyr_reply_raise(reply, &exception) == PYR_OK;
    }
    count = vowels(args);
    if (args->tag == PYR_HANDLE) {
        /* A handle among the arguments is ours. */
        pyr_release(args->of.handle);
    }
    if (count < 0) {
        /* An error of the program's own. */
        text = cell_text("only text has vowels");
        return pyr_reply_fail(reply, &text, NULL, 0) == PYR_OK;
    }
    /* A number can be written where the answer goes; for any other value there is pyr_reply_value. */
    *reply->value = cell_int(count);
    return 1;
}

/* Called once for each time that Python came to keep the loan, on any thread. It must not call Python. */
static void released(uint64_t id, void *context) {
    (void)id;
    ((struct function *)context)->released++;
}

static void execute(const char *source) {
    pyr_value part = cell_text(source);
    must(pyr_exec(&part, 1));
}

/* Execute what is to fail, and print how it did. */
static void attempt(const char *source) {
    pyr_value part = cell_text(source);
    pyr_error error;
    if (pyr_exec(&part, 1) != PYR_OK) {
        pyr_error_last(&error, 0);
        printf("%s: %.*s: %.*s\n", source, (int)error.type_name_length, (const char *)error.type_name,
               (int)error.message_length, (const char *)error.message);
        pyr_release(error.exception);
        /* Its traceback has frames, in which the function may be: Python keeps it for that long, too. */
        pyr_error_clear();
    }
}

int main(int argc, char **argv) {
    /* These live as long as the process, or until Python let go. */
    static pyr_host host;
    static struct function function;
    pyr_value name = cell_text("vowels"), value = cell(PYR_LOAN, 0);
    pyr_loan loan;

    start_python(argc, argv);
    host.size = sizeof host;
    host.ask = ask;
    host.release = released;
    memset(&loan, 0, sizeof loan);
    loan.id = 1;
    loan.kind = PYR_LENT_FUNCTION;
    loan.host = &host;
    loan.context = &function;
    value.of.loan = &loan;

    /* A global of Python's: it keeps the function. */
    must(pyr_set(&name, &value));
    printf("Python came to keep the function %u time(s)\n", (unsigned)loan.kept);
    execute("print(vowels, flush=True)");
    execute("print(sorted(['queueing', 'sky', 'banana', 'idea'], key=vowels), flush=True)");
    printf("it was called %d times\n", function.calls);

    attempt("vowels(7)");
    attempt("vowels('a', 'b')");
    attempt("vowels.speed");
    execute("try:\n"
            "    vowels(object())\n"
            "except Exception as error:\n"
            "    print('Python caught:', error, flush=True)\n");

    execute("del vowels");
    printf("Python let go of it %d time(s)\n", function.released);
    return function.released != (int)loan.kept;
}
