/*
 * hello.c: start Python, import modules, call functions.
 *
 *     cc hello.c -lpyrite -lpython3.11 -o hello && ./hello /usr/bin/python3
 */
#include "cells.h"

static void import(const char *module) {
    pyr_value name = cell_text(module);
    /* What was bound in __main__ is of no interest here, so there is no place for it. */
    must(pyr_import(&name, NULL, 0, NULL));
}

int main(int argc, char **argv) {
    pyr_value function, arguments[2], numbers[3], pairs[4];
    pyr_result result;

    start_python(argc, argv);
    import("math");
    import("json");

    /* A callable can be named by text; its first part is looked up in __main__, where import put it. */
    function = cell_text("math.hypot");
    arguments[0] = cell_float(3.0);
    arguments[1] = cell_int(4);
    must(pyr_call(&function, arguments, 2, 0, 0, &result));
    printf("math.hypot(3.0, 4) = %g\n", result.value.of.real);
    pyr_result_free(&result);

    /* It can also be the source of an expression, which is compiled once. */
    function = cell_text("lambda text: f'{text.capitalize()} from Python'");
    arguments[0] = cell_text("hello");
    must(pyr_call(&function, arguments, 1, 0, 0, &result));
    printf("%.*s\n", (int)result.value.aux, (const char *)result.value.of.bytes);
    pyr_result_free(&result);

    /* The dict {"primes": [2, 3, 5], "are": "odd"} is cells that point to cells. */
    numbers[0] = cell_int(2);
    numbers[1] = cell_int(3);
    numbers[2] = cell_int(5);
    pairs[0] = cell_text("primes");
    pairs[1] = cell_items(PYR_LIST, numbers, 3);
    pairs[2] = cell_text("are");
    pairs[3] = cell_text("odd");

    {
        /* json.dumps(dict, indent=2, sort_keys=True): positional cells, then pairs of name and value. */
        pyr_value call[5];
        call[0] = cell_items(PYR_DICT, pairs, 2);
        call[1] = cell_text("indent");
        call[2] = cell_int(2);
        call[3] = cell_text("sort_keys");
        call[4] = cell_bool(1);
        function = cell_text("json.dumps");
        must(pyr_call(&function, call, 1, 2, 0, &result));
    }
    printf("%.*s\n", (int)result.value.aux, (const char *)result.value.of.bytes);
    pyr_result_free(&result);
    return 0;
}
