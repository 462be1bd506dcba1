/* Containers that cannot be converted: without end, too deep, unhashable, changing meanwhile. */
#include "check.h"

/* `status` is what came of a conversion that cannot succeed; the next one can. */
static void refused(pyr_status expected, pyr_status status, const char *call) {
    pyr_error error;
    CHECK_OK(pyr_error_last(&error, 0));
    if (!CHECK(status == expected && error.status == status && error.message_length > 0)) {
        printf("    %s gave %u instead of %u\n", call, (unsigned)status, (unsigned)expected);
    }
    pyr_release(error.exception);
    CHECK(is_true("[sum([1, 2]), 4] == [3, 4]"));
}

#define REFUSED(expected, call) refused((expected), (call), #call)

static void circles(void) {
    pyr_value cycle[2], pairs[2];
    pyr_result result;
    size_t before;
    execute("ring = [1]; ring.append({'k': (ring,)})\n"
            "wheel = {}; wheel['self'] = wheel\n"
            "twice = [1, [2]]; twice = [twice, twice]\n"
            "objects = [object(), {'k': object()}]; objects.append(objects)\n");
    REFUSED(PYR_CIRCULAR, evaluate("ring", 0, &result));
    REFUSED(PYR_CIRCULAR, evaluate("ring[1]['k']", 0, &result));
    REFUSED(PYR_CIRCULAR, evaluate("wheel", 0, &result));
    /* Also far from the root. */
    REFUSED(PYR_CIRCULAR, evaluate("[[[[[[[[[[[[[[[[[[[[[[[[[ring]]]]]]]]]]]]]]]]]]]]]]]]]", 0, &result));

    /* The handles that a failed conversion made are given back. */
    before = live_handles();
    REFUSED(PYR_CIRCULAR, evaluate("objects", 0, &result));
    CHECK(live_handles() == before);

    /* As a handle, a circle is an object like any other. */
    CHECK_OK(evaluate("ring", PYR_REMOTE, &result));
    pyr_release(result.value.of.handle);

    /* The same list twice is no circle. */
    CHECK_OK(evaluate("twice", 0, &result));
    CHECK(result.value.aux == 2 && result.value.of.items[0].aux == 2 && result.value.of.items[1].aux == 2);
    pyr_result_free(&result);

    /* Cells that contain themselves are cells without end. */
    cycle[0] = cell_int(1);
    cycle[1] = cell_items(PYR_LIST, cycle, 2);
    REFUSED(PYR_TOO_DEEP, pyr_convert(&cycle[1], 0, &result));
    pairs[0] = cell_int(1);
    pairs[1] = cell_items(PYR_DICT, pairs, 1);
    REFUSED(PYR_TOO_DEEP, pyr_convert(&pairs[1], 0, &result));
}

static void too_deep(void) {
    const size_t depth = (size_t)PYR_MAXIMUM_DEPTH + 2;
    pyr_value *cells = (pyr_value *)malloc(depth * sizeof(pyr_value));
    pyr_result result;
    size_t i;
    for (i = 0; i + 1 < depth; i++) {
        cells[i] = cell_items(PYR_LIST, &cells[i + 1], 1);
    }
    cells[depth - 1] = cell_items(PYR_LIST, NULL, 0);
    REFUSED(PYR_TOO_DEEP, pyr_convert(cells, 0, &result));
    REFUSED(PYR_TOO_DEEP, pyr_convert(cells, PYR_REMOTE, &result));
    free(cells);
    execute("nest = []\n"
            "for _ in range(1000001): nest = [nest]\n");
    REFUSED(PYR_TOO_DEEP, evaluate("nest", 0, &result));
    execute("del nest");
}

static void unhashable(void) {
    pyr_value list = cell_items(PYR_LIST, NULL, 0), tuple = cell_items(PYR_TUPLE, &list, 1), pair[2], dict;
    pyr_result result;
    pair[0] = list;
    pair[1] = list;
    dict = cell_items(PYR_DICT, pair, 1);
    REFUSED(PYR_PYTHON_ERROR, pyr_convert(&dict, 0, &result));
    pair[0] = tuple;
    REFUSED(PYR_PYTHON_ERROR, pyr_convert(&dict, PYR_REMOTE, &result));
    pair[0] = cell_int(1);
    CHECK_OK(pyr_convert(&dict, 0, &result));
    pyr_result_free(&result);
    dict = cell_items(PYR_DICT, NULL, 0);
    REFUSED(PYR_PYTHON_ERROR, pyr_setitem(&dict, &list, &list));
    REFUSED(PYR_PYTHON_ERROR, pyr_getitem(&dict, &tuple, 0, &result));
}

/*
 * Converting an int beyond 64 bits allocates, which may start a garbage collection, whose finalizers
 * may empty the container. (Since 3.12 collections wait for bytecode, and nothing happens.)
 */
static void changing(const char *expression) {
    pyr_value part = cell_text(expression);
    pyr_result result;
    pyr_status status;
    execute("import gc\n"
            "class Emptier:\n"
            "    def __init__(self, container):\n"
            "        self.itself, self.container = self, container\n"
            "    def __del__(self):\n"
            "        self.container.clear()\n"
            "def emptied(container):\n"
            "    gc.disable(); Emptier(container); gc.set_threshold(1); gc.enable()\n"
            "    return container\n"
            "threshold = gc.get_threshold()\n");
    status = pyr_eval(&part, 1, 0, &result);
    if (CHECK(status == PYR_OK || status == PYR_CHANGED) && status == PYR_OK) {
        CHECK(result.value.tag == PYR_LIST || result.value.tag == PYR_DICT);
        pyr_result_free(&result);
    }
    execute("gc.set_threshold(*threshold)");
}

int main(int argc, char **argv) {
    size_t before;
    start_python(argc, argv);
    before = live_handles();
    circles();
    too_deep();
    unhashable();
    changing("emptied([2**100 + i for i in range(1000)])");
    changing("emptied({i: 2**100 + i for i in range(1000)})");
    CHECK(live_handles() == before);
    return finish();
}
