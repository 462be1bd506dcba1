/* Python calls functions of C, and asks for attributes: arguments, answers, errors, threads. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include <pthread.h>

#define THREADS 4
#define CALLS 2000

typedef int32_t (*body_function)(pyr_question question, const pyr_value *args, uint32_t nargs, uint32_t nkwargs,
                                 pyr_reply *reply);

/* A function to be lent, and what came of it. */
struct function {
    body_function body;
    int kept, released, calls;
};

static int32_t ask(pyr_question question, uint64_t id, void *context, const pyr_value *args, uint32_t nargs,
                   uint32_t nkwargs, pyr_reply *reply) {
    struct function *function = (struct function *)context;
    CHECK(id == 77 && reply->reserved == 0);
    __atomic_fetch_add(&function->calls, 1, __ATOMIC_RELAXED);
    return function->body(question, args, nargs, nkwargs, reply);
}

static void released(uint64_t id, void *context) {
    CHECK(id == 77);
    __atomic_fetch_add(&((struct function *)context)->released, 1, __ATOMIC_RELAXED);
}

static pyr_host host = {sizeof(pyr_host), released, ask, 0, 0};
static pyr_host serving = {sizeof(pyr_host), released, ask, PYR_DISPATCH, 0};
static pyr_host mute = {sizeof(pyr_host), released, NULL, 0, 0};

/* Bind the Python global called name to a function. */
static void lend(const char *name, struct function *function, body_function body, const pyr_host *lender) {
    pyr_value text = cell_text(name), value = cell(PYR_LOAN, 0);
    pyr_loan loan;
    memset(&loan, 0, sizeof loan);
    memset(function, 0, sizeof *function);
    function->body = body;
    loan.id = 77;
    loan.kind = PYR_LENT_FUNCTION;
    loan.host = lender;
    loan.context = function;
    value.of.loan = &loan;
    CHECK_OK(pyr_set(&text, &value));
    function->kept = (int)loan.kept;
    CHECK(function->kept == 1);
}

/* Unbind it: it must be told. */
static void take_back(const char *name, struct function *function) {
    char source[100];
    snprintf(source, sizeof source, "del %s", name);
    execute(source);
    pyr_error_clear();
    CHECK(live_handles() == 0);
    CHECK(function->kept == function->released);
}

/* Add the arguments, and twice the values of keyword arguments. */
static int32_t add(pyr_question question, const pyr_value *args, uint32_t nargs, uint32_t nkwargs, pyr_reply *reply) {
    int64_t sum = 0;
    uint32_t i;
    if (question != PYR_ASK_CALL) {
        return 0;
    }
    for (i = 0; i < nargs; i++) {
        sum += args[i].of.integer;
    }
    for (i = 0; i < nkwargs; i++) {
        CHECK(args[nargs + 2 * i].tag == PYR_UTF8);
        sum += 2 * args[nargs + 2 * i + 1].of.integer;
    }
    *reply->value = cell_int(sum);
    return 1;
}

static void arguments(void) {
    struct function function;
    lend("add", &function, add, &host);
    CHECK(is_true("add() == 0 and add(1, 2, 3) == 6 and add(*range(1000)) == 499500"));
    CHECK(is_true("add(1, x=2, **{'not a name': 3}) == 11"));
    CHECK(is_true("sorted([3, 1, 2], key=lambda n: add(-n, n, n)) == [1, 2, 3]"));
    CHECK(is_true("list(map(add, range(100), range(100))) == list(range(0, 200, 2))"));
    CHECK(is_true("not hasattr(add, 'speed') and add.__doc__ is None and 'Function' in repr(add)"));
    CHECK(function.calls > 100);
    take_back("add", &function);
}

/* Answer with what the first argument says. */
static int32_t answer(pyr_question question, const pyr_value *args, uint32_t nargs, uint32_t nkwargs,
                      pyr_reply *reply) {
    pyr_value items[2], text = cell_text("said"), exception = cell(PYR_NAME, 0), bad = cell(99, 0), list;
    (void)nkwargs;
    if (question == PYR_ASK_REPR) {
        return pyr_reply_value(reply, &text) == PYR_OK;
    }
    if (question != PYR_ASK_CALL || nargs == 0) {
        return 0;
    }
    items[0] = cell_int(1);
    items[1] = text;
    list = cell_items(PYR_LIST, items, 2);
    CHECK_STATUS(PYR_INVALID_TAG, pyr_reply_value(reply, &bad));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_reply_value(reply, NULL));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_reply_value(NULL, &text));
    CHECK_STATUS(PYR_GIL_NOT_HELD, pyr_gil_release());
    switch (args[0].of.integer) {
    case 0:
        CHECK_OK(pyr_reply_value(reply, &text));
        return pyr_reply_value(reply, &list) == PYR_OK;
    case 1:
        CHECK_OK(pyr_intern((const uint8_t *)"KeyError", 8, &exception.of.name));
        return pyr_reply_raise(reply, &exception) == PYR_OK;
    case 2:
        return pyr_reply_fail(reply, &text, &items[0], 0) == PYR_OK;
    case 3:
        return pyr_reply_fail(reply, &text, NULL, 1) == PYR_OK;
    case 4:
        /* A cell that points to something is not looked at. */
        *reply->value = list;
        return 1;
    case 5:
        CHECK_STATUS(PYR_PYTHON_ERROR, pyr_reply_raise(reply, &text));
        CHECK_OK(pyr_gil_acquire());
        CHECK(is_true("6 * 7 == 42"));
        /* The hold ends with the answer. */
        *reply->value = cell_bool(1);
        return 1;
    default:
        CHECK_OK(pyr_reply_value(reply, &text));
        return 0;
    }
}

static void answers(void) {
    struct function function;
    lend("answer", &function, answer, &host);
    execute("def name(*args):\n"
            "    try:\n"
            "        return answer(*args)\n"
            "    except BaseException as error:\n"
            "        return type(error).__name__, isinstance(error, Exception), getattr(error, 'payload', 0)\n");
    CHECK(is_true("name(0) == [1, 'said'] and repr(answer) == 'said'"));
    CHECK(is_true("name(1) == ('KeyError', True, 0)"));
    CHECK(is_true("name(2) == ('HostError', True, 1)"));
    CHECK(is_true("name(3) == ('HostUnwind', False, None)"));
    CHECK(is_true("name(4) == ('TypeError', True, 0) and name(6) == ('TypeError', True, 0)"));
    CHECK(is_true("name(5) is True and name() == ('TypeError', True, 0)"));
    CHECK_STATUS(PYR_GIL_NOT_HELD, pyr_gil_release());
    take_back("answer", &function);
}

/* Nobody is asked, and nothing is left of the arguments. */
static void unanswered(void) {
    struct function function;
    lend("mute", &function, add, &mute);
    execute("try:\n    mute(object(), k=object())\n    wrong = True\nexcept TypeError:\n    wrong = False");
    CHECK(is_true("not wrong and not hasattr(mute, 'x')"));
    CHECK(function.calls == 0 && live_handles() == 0);
    take_back("mute", &function);
}

static int serving_on;

static void *serve(void *number) {
    (void)number;
    while (__atomic_load_n(&serving_on, __ATOMIC_RELAXED)) {
        pyr_request request;
        int32_t answered;
        CHECK_OK(pyr_serve(20, &request));
        if (request.ticket != 0) {
            answered = ask(request.question, request.id, request.context, request.args, request.nargs,
                           request.nkwargs, request.reply);
            CHECK_STATUS(PYR_INVALID_HANDLE, pyr_served(request.ticket + (UINT64_C(1) << 40), 1));
            CHECK_OK(pyr_served(request.ticket, answered));
        }
    }
    return NULL;
}

/* Threads of Python's ask: they themselves, or threads of the host's for them. */
static void threads(const pyr_host *lender) {
    pthread_t servers[THREADS];
    struct function function;
    char source[300];
    int i;
    serving_on = 1;
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&servers[i], NULL, serve, NULL) == 0);
    }
    lend("add", &function, add, lender);
    snprintf(source, sizeof source,
             "import threading\n"
             "sums = []\n"
             "def work(): sums.append(sum(add(i, x=1) for i in range(%d)))\n"
             "threads = [threading.Thread(target=work) for _ in range(4)]\n"
             "for thread in threads: thread.start()\n"
             "for thread in threads: thread.join()\n",
             repeated(CALLS));
    execute(source);
    snprintf(source, sizeof source, "sums == [sum(range(%d)) + 2 * %d] * 4", repeated(CALLS), repeated(CALLS));
    CHECK(is_true(source));
    CHECK(function.calls == 4 * repeated(CALLS));
    execute("del threads");
    take_back("add", &function);
    __atomic_store_n(&serving_on, 0, __ATOMIC_RELAXED);
    CHECK_OK(pyr_serve_wake());
    for (i = 0; i < THREADS; i++) {
        pthread_join(servers[i], NULL);
    }
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    arguments();
    answers();
    unanswered();
    threads(&host);
    threads(&serving);
    CHECK(live_handles() == 0);
    return finish();
}
