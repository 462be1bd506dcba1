/*
 * errors.c: what goes wrong is a status, with the details kept for the thread. Each mistake here is
 * made on purpose, and the program goes on.
 */
#include "cells.h"

static int mistakes_missed = 0;

/* Show what the last call of this thread did wrong, and that it was what we wanted to see. */
static void show(const char *mistake, pyr_status expected, pyr_status status) {
    pyr_error error;
    pyr_error_last(&error, 1);
    printf("* %s: status %u\n", mistake, (unsigned)status);
    /* Texts are pointer and length, without a NUL at the end; an empty one is not to be read. */
    if (error.type_name_length > 0) {
        printf("  type: %.*s\n", (int)error.type_name_length, (const char *)error.type_name);
    }
    printf("  message: %.*s\n", (int)error.message_length, (const char *)error.message);
    if (error.traceback_length > 0) {
        printf("%.*s", (int)error.traceback_length, (const char *)error.traceback);
    }
    /* The exception itself is an object like any other: its attributes could be asked for now. */
    pyr_release(error.exception);
    if (status != expected) {
        printf("  but the status should be %u\n", (unsigned)expected);
        mistakes_missed++;
    }
}

int main(int argc, char **argv) {
    pyr_value source, function, argument, object;
    pyr_result result;
    pyr_status status;

    start_python(argc, argv);
    source = cell_text("import json\n"
                       "def configure(text):\n"
                       "    return json.loads(text)\n");
    must(pyr_exec(&source, 1));

    /* A Python exception: type, message and traceback, as Python would print them. */
    function = cell_text("configure");
    argument = cell_text("{\"colour\": }");
    status = pyr_call(&function, &argument, 1, 0, 0, &result);
    show("a call raises", PYR_PYTHON_ERROR, status);

    /* Nothing was written to `result`, so there is nothing to free. */

    source = cell_text("1 +");
    status = pyr_eval(&source, 1, 0, &result);
    show("the source has a fault", PYR_PYTHON_ERROR, status);

    status = pyr_call(NULL, NULL, 0, 0, 0, &result);
    show("an argument is NULL", PYR_NULL_ARGUMENT, status);

    /* A set is none of the simple types, so it comes as a handle. */
    source = cell_text("{1, 2, 3}");
    must(pyr_eval(&source, 1, 0, &result));
    object = result.value;
    pyr_result_free(&result);
    must(pyr_repr(&object, 0, &result));
    printf("* a handle on %.*s\n", (int)result.value.aux, (const char *)result.value.of.bytes);
    pyr_result_free(&result);

    pyr_release(object.of.handle);
    status = pyr_repr(&object, 0, &result);
    show("the handle was released", PYR_STALE_HANDLE, status);

    object = cell_handle(12345);
    status = pyr_repr(&object, 0, &result);
    show("the handle is made up", PYR_INVALID_HANDLE, status);

    /* After a stop nothing can be called, and what was made before it is gone for good. */
    must(pyr_eval(&source, 1, 0, &result));
    object = result.value;
    must(pyr_stop());
    status = pyr_repr(&object, 0, &result);
    show("Python was stopped", PYR_NOT_RUNNING, status);
    start_python(argc, argv);
    status = pyr_repr(&object, 0, &result);
    show("the handle is from before the stop", PYR_STALE_HANDLE, status);
    return mistakes_missed > 0;
}
