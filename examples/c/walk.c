/*
 * walk.c: nested data comes over whole. json.loads is called once, and its lists and dicts are then
 * read as plain C structs: no further call is made, and no reference is held.
 */
#include "cells.h"
#include <inttypes.h>

static const char *const document =
    "{\"name\": \"Pyrite\", \"hardness\": 6.5, \"magnetic\": false, \"alias\": null,"
    " \"elements\": [{\"symbol\": \"Fe\", \"number\": 26}, {\"symbol\": \"S\", \"number\": 16}],"
    " \"atoms in a gram\": 15059000000000000000000, \"places\": []}";

static void print_value(const pyr_value *value, int indent);

static void print_items(const pyr_value *value, int indent) {
    uint32_t i;
    for (i = 0; i < value->aux; i++) {
        printf("\n%*s- ", indent, "");
        print_value(&value->of.items[i], indent + 2);
    }
}

/* A dict is its keys and values by turns, in the order in which Python has them. */
static void print_pairs(const pyr_value *value, int indent) {
    uint32_t i;
    for (i = 0; i < value->aux; i++) {
        printf("\n%*s", indent, "");
        print_value(&value->of.items[2 * i], indent + 2);
        printf(": ");
        print_value(&value->of.items[2 * i + 1], indent + 2);
    }
}

/* An int beyond 64 bits is bytes, two's complement and little-endian. */
static void print_big(const pyr_value *value) {
    uint32_t i;
    printf("0x");
    for (i = value->aux; i > 0; i--) {
        printf("%02x", value->of.bytes[i - 1]);
    }
}

static void print_value(const pyr_value *value, int indent) {
    switch (value->tag) {
    case PYR_NONE:
        printf("nothing");
        break;
    case PYR_BOOL:
        printf(value->of.integer ? "yes" : "no");
        break;
    case PYR_INT:
        printf("%" PRId64, value->of.integer);
        break;
    case PYR_FLOAT:
        printf("%g", value->of.real);
        break;
    case PYR_UTF8:
        printf("%.*s", (int)value->aux, (const char *)value->of.bytes);
        break;
    case PYR_BIGINT:
        print_big(value);
        break;
    case PYR_LIST:
    case PYR_TUPLE:
        print_items(value, indent);
        break;
    case PYR_DICT:
        print_pairs(value, indent);
        break;
    case PYR_HANDLE:
        /* Everything else. JSON has nothing else; from other calls, release it once you are done. */
        printf("an object");
        break;
    default:
        printf("a cell of tag %u", (unsigned)value->tag);
    }
}

int main(int argc, char **argv) {
    pyr_value module = cell_text("json"), loads = cell_text("json.loads"), text = cell_text(document);
    pyr_result result;

    start_python(argc, argv);
    must(pyr_import(&module, NULL, 0, NULL));
    must(pyr_call(&loads, &text, 1, 0, 0, &result));
    print_value(&result.value, 0);
    printf("\n");
    /* All cells of the result are in one piece of memory, which goes at once. */
    pyr_result_free(&result);
    return 0;
}
