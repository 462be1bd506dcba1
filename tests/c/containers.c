/* Lists, tuples, dicts and objects, from C to Python and from Python to C. */
#include "check.h"

/* Whether Python's `expression` of what `value` becomes there, which it calls `v`, is true. */
static int python_says(pyr_value value, const char *expression) {
    char source[200];
    pyr_value function;
    pyr_result result;
    snprintf(source, sizeof source, "lambda v: bool(%s)", expression);
    function = cell_text(source);
    must(pyr_call(&function, &value, 1, 0, 0, &result));
    return result.value.tag == PYR_BOOL && result.value.of.integer;
}

static void nested(void) {
    pyr_value leaves[3], pairs[4], all[3], list;
    const pyr_value *at;
    pyr_result result;

    leaves[0] = cell_int(1);
    leaves[1] = cell_float(2.5);
    leaves[2] = cell_text("three");
    pairs[0] = cell_items(PYR_TUPLE, leaves, 2);
    pairs[1] = cell_items(PYR_LIST, leaves, 3);
    pairs[2] = cell_text("empty");
    pairs[3] = cell_items(PYR_DICT, NULL, 0);
    all[0] = cell_items(PYR_DICT, pairs, 2);
    all[1] = cell_items(PYR_TUPLE, NULL, 0);
    all[2] = cell_items(PYR_LIST, NULL, 0);
    list = cell_items(PYR_LIST, all, 3);
    CHECK(python_says(list, "v == [{(1, 2.5): [1, 2.5, 'three'], 'empty': {}}, (), []]"));
    CHECK(python_says(list, "[type(x) for x in v] == [dict, tuple, list]"));

    CHECK_OK(pyr_convert(&list, 0, &result));
    CHECK(result.value.tag == PYR_LIST && result.value.aux == 3);
    at = result.value.of.items;
    CHECK(at[1].tag == PYR_TUPLE && at[1].aux == 0 && at[2].tag == PYR_LIST && at[2].aux == 0);
    CHECK(at[0].tag == PYR_DICT && at[0].aux == 2);
    at = at[0].of.items;
    CHECK(at[0].tag == PYR_TUPLE && at[0].aux == 2 && at[0].of.items[1].of.real == 2.5);
    CHECK(at[1].tag == PYR_LIST && at[1].aux == 3);
    CHECK(same_text("three", at[1].of.items[2].of.bytes, at[1].of.items[2].aux));
    CHECK(same_text("empty", at[2].of.bytes, at[2].aux) && at[3].tag == PYR_DICT && at[3].aux == 0);
    pyr_result_free(&result);
}

static void empty(const char *expression, pyr_tag tag) {
    pyr_result result;
    CHECK_OK(evaluate(expression, 0, &result));
    CHECK(result.value.tag == tag && result.value.aux == 0);
    pyr_result_free(&result);
    CHECK(python_says(cell_items(tag, NULL, 0), "not v"));
}

/* Lists in lists, `depth` of them. */
static pyr_value *deep(size_t depth) {
    pyr_value *cells = (pyr_value *)malloc(depth * sizeof(pyr_value));
    size_t i;
    for (i = 0; i + 1 < depth; i++) {
        cells[i] = cell_items(i % 2 ? PYR_TUPLE : PYR_LIST, &cells[i + 1], 1);
    }
    cells[depth - 1] = cell_items(PYR_LIST, NULL, 0);
    return cells;
}

static void both_ways_deep(size_t depth) {
    pyr_value *cells = deep(depth);
    const pyr_value *at;
    pyr_result result;
    size_t met = 1;
    CHECK_OK(pyr_convert(cells, 0, &result));
    for (at = &result.value; at->aux == 1; at = at->of.items) {
        met++;
    }
    CHECK(met == depth && at->tag == PYR_LIST && at->aux == 0);
    pyr_result_free(&result);
    free(cells);
}

/* Only the exact types come as values: what a subclass adds would be lost. */
static void objects(void) {
    const char *const expressions[] = {
        "object()", "{1}", "len", "bytearray(b'x')", "range(3)", "__import__('collections').OrderedDict()",
        "type('L', (list,), {})()", "type('I', (int,), {})(3)", "type('S', (str,), {})('x')",
    };
    pyr_value value;
    pyr_result result;
    size_t i;
    for (i = 0; i < sizeof expressions / sizeof expressions[0]; i++) {
        CHECK_OK(evaluate(expressions[i], 0, &result));
        if (CHECK(result.value.tag == PYR_HANDLE && result.value.of.handle != 0)) {
            CHECK(result.value.of.handle < (uint64_t)1 << 62);
            CHECK_OK(pyr_release(result.value.of.handle));
        } else {
            printf("    getting %s\n", expressions[i]);
        }
        pyr_result_free(&result);
    }
    /* In a container, too, and then each handle is the host's to release. */
    CHECK_OK(evaluate("[len, {'k': len}]", 0, &result));
    value = result.value.of.items[1].of.items[1];
    CHECK(result.value.of.items[0].tag == PYR_HANDLE && value.tag == PYR_HANDLE);
    CHECK(python_says(value, "v is len"));
    pyr_release(result.value.of.items[0].of.handle);
    pyr_result_free(&result);
    CHECK(python_says(value, "v is len"));
    pyr_release(value.of.handle);
}

static void remote(void) {
    pyr_value list = cell_items(PYR_LIST, NULL, 0), same_list;
    pyr_result result;
    CHECK_OK(pyr_convert(&list, PYR_REMOTE, &result));
    CHECK(result.value.tag == PYR_HANDLE);
    same_list = result.value;
    CHECK(python_says(same_list, "v.append(7) or v == [7]"));
    CHECK_OK(pyr_convert(&same_list, 0, &result));
    CHECK(result.value.tag == PYR_LIST && result.value.aux == 1 && result.value.of.items[0].of.integer == 7);
    pyr_result_free(&result);
    pyr_release(same_list.of.handle);
    CHECK_OK(evaluate("['\\u20ac', {'k': '\\0'}]", PYR_AS_UCS4, &result));
    CHECK(result.value.of.items[0].tag == PYR_UCS4 && result.value.of.items[0].of.points[0] == 0x20AC);
    CHECK(result.value.of.items[1].of.items[0].tag == PYR_UCS4 && result.value.of.items[1].of.items[1].aux == 1);
    pyr_result_free(&result);
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    nested();
    empty("[]", PYR_LIST);
    empty("()", PYR_TUPLE);
    empty("{}", PYR_DICT);
    both_ways_deep(1);
    both_ways_deep(100000);
    both_ways_deep(PYR_MAXIMUM_DEPTH);
    objects();
    remote();
    return finish();
}
