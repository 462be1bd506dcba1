/* What pyr_error_last tells of a call that failed. */
#include "check.h"

static pyr_error error;

/* Execute what raises, and ask for the details. */
static int raises(const char *source, const char *type_name, const char *message) {
    pyr_value part = cell_text(source);
    int good = CHECK_STATUS(PYR_PYTHON_ERROR, pyr_exec(&part, 1));
    CHECK_OK(pyr_error_last(&error, 1));
    good &= CHECK(error.status == PYR_PYTHON_ERROR && error.kind != 0 && error.exception != 0);
    good &= CHECK(same_text(type_name, error.type_name, error.type_name_length));
    good &= message == NULL || CHECK(same_text(message, error.message, error.message_length));
    if (!good) {
        printf("    %s: %.*s: %.*s\n", source, (int)error.type_name_length, (const char *)error.type_name,
               (int)error.message_length, (const char *)error.message);
    }
    CHECK_OK(pyr_release(error.exception));
    CHECK(is_true("1 < 2"));
    return good;
}

static int contains(const uint8_t *text, size_t length, const char *part) {
    size_t size = strlen(part), i;
    for (i = 0; i + size <= length; i++) {
        if (memcmp(text + i, part, size) == 0) {
            return 1;
        }
    }
    return 0;
}

static void kinds(void) {
    raises("1 / 0", "ZeroDivisionError", "division by zero");
    raises("import json; json.loads('[')", "json.decoder.JSONDecodeError", "Expecting value: line 1 column 2 (char 1)");
    raises("class Mine(ValueError): pass\nraise Mine('own', 1)", "Mine", "('own', 1)");
    raises("raise KeyError('k')", "KeyError", "'k'");
    raises("raise ValueError", "ValueError", "");
    raises("undefined", "NameError", "name 'undefined' is not defined");
    raises("1 +", "SyntaxError", NULL);
    raises("def f(): pass\n  pass", "IndentationError", NULL);
    raises("import no_such_module", "ModuleNotFoundError", "No module named 'no_such_module'");
    raises("def f(): return f()\nf()", "RecursionError", NULL);
    raises("raise ValueError('\\u20ac')", "ValueError", "\xE2\x82\xAC");
    /* Those that would end a Python program end the call only. */
    raises("raise SystemExit(3)", "SystemExit", "3");
    raises("import sys; sys.exit()", "SystemExit", "");
    raises("raise KeyboardInterrupt", "KeyboardInterrupt", "");
    raises("raise GeneratorExit", "GeneratorExit", "");
    raises("raise BaseException('base')", "BaseException", "base");
    raises("raise 'no exception'", "TypeError", "exceptions must derive from BaseException");
    raises("raise StopIteration(7)", "StopIteration", "7");
    raises("raise MemoryError", "MemoryError", "");
}

/* Exceptions whose own methods fail are told of all the same. */
static void hostile(void) {
    const char with_nul[] = "a\0b";
    raises("class Bad(Exception):\n    def __str__(self): raise OSError\nraise Bad", "Bad",
           "<its __str__ raised OSError>");
    CHECK(contains(error.traceback, error.traceback_length, "Bad"));
    raises("class Odd(Exception):\n    def __str__(self): return 3\nraise Odd", "Odd",
           "<its __str__ raised TypeError>");
    raises("class Quits(Exception):\n    def __str__(self): raise SystemExit\nraise Quits", "Quits", NULL);
    raises("class Deep(Exception):\n    def __str__(self): return str(self)\nraise Deep", "Deep", NULL);
    raises("class Odd(Exception): __module__ = 3\nraise Odd('odd')", "3.Odd", "odd");
    raises("class Fails(Exception):\n    def __init__(self): raise ValueError('init')\nraise Fails",
           "ValueError", "init");
    raises("raise ValueError('\\ud800')", "ValueError", NULL);
    raises("raise ValueError('a\\0b')", "ValueError", NULL);
    CHECK(error.message_length == 3 && memcmp(error.message, with_nul, 3) == 0);
}

static void tracebacks(void) {
    raises("def inner(): raise ValueError('deep')\n"
           "def outer(): inner()\n"
           "try:\n    outer()\nexcept ValueError as e:\n    raise KeyError('later') from e", "KeyError", "'later'");
    CHECK(contains(error.traceback, error.traceback_length, "Traceback (most recent call last):\n"));
    CHECK(contains(error.traceback, error.traceback_length, "in inner"));
    CHECK(contains(error.traceback, error.traceback_length, "ValueError: deep\n"));
    CHECK(contains(error.traceback, error.traceback_length, "direct cause"));
    CHECK(contains(error.traceback, error.traceback_length, "KeyError: 'later'\n"));
}

/* The exception is an object like any other. Each asking gives a handle of its own. */
static void exception_handle(void) {
    pyr_value part = cell_text("raise OSError(2, 'gone')"), exception, name = cell_text("errno");
    pyr_result result;
    pyr_handle handle;
    CHECK_STATUS(PYR_PYTHON_ERROR, pyr_exec(&part, 1));
    CHECK_OK(pyr_error_last(&error, 0));
    CHECK(error.traceback_length == 0);
    handle = error.exception;
    exception = cell_handle(handle);
    CHECK_OK(pyr_error_last(&error, 0));
    CHECK(error.exception != 0 && error.exception != handle && error.status == PYR_PYTHON_ERROR);
    CHECK_OK(pyr_release(error.exception));
    CHECK_OK(pyr_error_last(&error, 1));
    CHECK(contains(error.traceback, error.traceback_length, "FileNotFoundError: [Errno 2] gone\n"));
    CHECK_OK(pyr_release(error.exception));
    CHECK_OK(pyr_error_last(&error, 0));
    CHECK(error.traceback_length == 0);
    CHECK_OK(pyr_release(error.exception));
    CHECK(same_text("FileNotFoundError", error.type_name, error.type_name_length));
    CHECK_OK(pyr_getattr(&exception, &name, 0, &result));
    CHECK(result.value.of.integer == 2);
    CHECK_OK(pyr_format_exception(handle, 0, &result));
    CHECK(contains(result.value.of.bytes, result.value.aux, "FileNotFoundError: [Errno 2] gone\n"));
    pyr_result_free(&result);
    CHECK_OK(pyr_release(handle));
}

/* The record stays until the next failure, and is of no use after being cleared. */
static void lasting(void) {
    raises("raise ValueError('first')", "ValueError", "first");
    CHECK(is_true("1 < 2"));
    CHECK_OK(pyr_error_last(&error, 0));
    CHECK(same_text("first", error.message, error.message_length));
    CHECK_OK(pyr_release(error.exception));
    CHECK_STATUS(PYR_INVALID_HANDLE, pyr_retain(0));
    CHECK_OK(pyr_error_last(&error, 1));
    CHECK(error.status == PYR_INVALID_HANDLE && error.exception == 0);
    CHECK(error.type_name_length == 0 && error.traceback_length == 0 && error.message_length > 0);
    pyr_error_clear();
    CHECK_OK(pyr_error_last(&error, 1));
    CHECK(error.status == PYR_OK && error.message_length == 0 && error.exception == 0);
}

int main(int argc, char **argv) {
    size_t live = 1;
    start_python(argc, argv);
    kinds();
    hostile();
    tracebacks();
    exception_handle();
    lasting();
    CHECK_OK(pyr_counters(&live, NULL));
    CHECK(live == 0);
    return finish();
}
