/* Cells that no function may take, in every place where a function takes a cell. */
#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static pyr_value text, dict;

/* Each place calls a function of the library with `bad` there, and good values everywhere else. */
#define PLACE(name, call)                                               \
    static pyr_status name(const pyr_value *bad, pyr_result *out) {     \
        int32_t same = 0;                                               \
        (void)out, (void)same;                                          \
        return call;                                                    \
    }

static pyr_status in_container(pyr_tag tag, const pyr_value *first, const pyr_value *second, pyr_result *out) {
    pyr_value items[2], container, outer;
    items[0] = *first;
    items[1] = *second;
    container = cell_items(tag, items, tag == PYR_DICT ? 1 : 2);
    outer = cell_items(PYR_LIST, &container, 1);
    return pyr_convert(&outer, 0, out);
}

static pyr_status keyword(const pyr_value *bad, pyr_result *out) {
    pyr_value function = cell_text("dict"), pair[2];
    pair[0] = cell_text("key");
    pair[1] = *bad;
    return pyr_call(&function, pair, 0, 1, 0, out);
}

PLACE(callee, pyr_call(bad, NULL, 0, 0, 0, out))
PLACE(argument, pyr_call(&text, bad, 1, 0, 0, out))
PLACE(method_self, pyr_call_method(bad, &text, NULL, 0, 0, 0, out))
PLACE(method_argument, pyr_call_method(&dict, &text, bad, 1, 0, 0, out))
PLACE(in_list, in_container(PYR_LIST, &text, bad, out))
PLACE(in_tuple, in_container(PYR_TUPLE, bad, &text, out))
PLACE(in_dict_key, in_container(PYR_DICT, bad, &text, out))
PLACE(in_dict_value, in_container(PYR_DICT, &text, bad, out))
PLACE(getattr_self, pyr_getattr(bad, &text, 0, out))
PLACE(setattr_self, pyr_setattr(bad, &text, &text))
PLACE(setattr_value, pyr_setattr(&dict, &text, bad))
PLACE(getitem_self, pyr_getitem(bad, &text, 0, out))
PLACE(getitem_key, pyr_getitem(&dict, bad, 0, out))
PLACE(setitem_self, pyr_setitem(bad, &text, &text))
PLACE(setitem_key, pyr_setitem(&dict, bad, &text))
PLACE(setitem_value, pyr_setitem(&dict, &text, bad))
PLACE(converted, pyr_convert(bad, 0, out))
PLACE(converted_remote, pyr_convert(bad, PYR_REMOTE, out))
PLACE(str_of, pyr_str(bad, 0, out))
PLACE(repr_of, pyr_repr(bad, 0, out))
PLACE(type_name_of, pyr_type_name(bad, 0, out))
PLACE(is_left, pyr_is(bad, &text, &same))
PLACE(is_right, pyr_is(&text, bad, &same))
PLACE(set_value, pyr_set(&text, bad))
PLACE(eval_part, pyr_eval(bad, 1, 0, out))
PLACE(exec_part, pyr_exec(bad, 1))

typedef pyr_status (*place)(const pyr_value *bad, pyr_result *out);

static const place places[] = {
    callee, argument, method_self, method_argument, keyword, in_list, in_tuple, in_dict_key, in_dict_value,
    getattr_self, setattr_self, setattr_value, getitem_self, getitem_key, setitem_self, setitem_key, setitem_value,
    converted, converted_remote, str_of, repr_of, type_name_of, is_left, is_right, set_value, eval_part, exec_part,
};

static void refused(const char *what, size_t number, pyr_value bad, pyr_status expected) {
    pyr_result out;
    pyr_error error;
    pyr_status status;
    memset(&out, 0, sizeof out);
    status = places[number](&bad, &out);
    CHECK_OK(pyr_error_last(&error, 0));
    if (!CHECK(status == expected && error.status == status && error.message_length > 0)) {
        printf("    %s in place %d gave %u: %.*s\n", what, (int)number, (unsigned)status,
               (int)error.message_length, (const char *)error.message);
    }
    pyr_release(error.exception);
    CHECK(out.value.tag == 0 && out.memory == NULL);
    CHECK(is_true("sum([1, 2]) == 3"));
}

static void everywhere(const char *what, pyr_value bad, pyr_status expected) {
    size_t number;
    for (number = 0; number < COUNT(places); number++) {
        refused(what, number, bad, expected);
    }
}

static void texts(void) {
    const uint32_t beyond = 0x110000;
    pyr_value points = cell(PYR_UCS4, 1);
    const pyr_tag pointed_to[] = {
        PYR_UTF8, PYR_LATIN1, PYR_UCS4, PYR_BIGINT, PYR_BYTES, PYR_LIST, PYR_TUPLE, PYR_DICT, PYR_ARRAY,
    };
    size_t i;
    everywhere("bad UTF-8", cell_text("a\xFF"), PYR_INVALID_TEXT);
    points.of.points = &beyond;
    everywhere("a point beyond U+10FFFF", points, PYR_INVALID_TEXT);
    for (i = 0; i < COUNT(pointed_to); i++) {
        everywhere("a NULL payload", cell(pointed_to[i], 3), PYR_NULL_ARGUMENT);
    }
}

static void arrays(void) {
    const size_t sizes[33] = {1, 1}, huge[2] = {SIZE_MAX / 4, 8};
    const double one = 1;
    pyr_array array;
    memset(&array, 0, sizeof array);
    array.data = &one;
    array.dimensions = sizes;
    array.rank = 1;
    array.element = 1000;
    everywhere("an array of unknown elements", cell_array(&array), PYR_INVALID_ARRAY);
    array.element = PYR_FLOAT64;
    array.rank = 33;
    everywhere("an array of 33 dimensions", cell_array(&array), PYR_INVALID_ARRAY);
    array.rank = UINT32_MAX;
    everywhere("an array of 2^32 - 1 dimensions", cell_array(&array), PYR_INVALID_ARRAY);
    array.rank = 2;
    array.dimensions = huge;
    everywhere("an array beyond all memory", cell_array(&array), PYR_INVALID_ARRAY);
    array.dimensions = NULL;
    everywhere("an array without dimensions", cell_array(&array), PYR_NULL_ARGUMENT);
    array.dimensions = sizes;
    array.data = NULL;
    everywhere("an array without data", cell_array(&array), PYR_NULL_ARGUMENT);
}

int main(int argc, char **argv) {
    pyr_handle released, last;
    start_python(argc, argv);
    text = cell_text("repr");
    dict = cell_items(PYR_DICT, NULL, 0);

    everywhere("tag 0", cell(0, 0), PYR_INVALID_TAG);
    everywhere("an unknown tag", cell(1000, 3), PYR_INVALID_TAG);
    everywhere("handle 0", cell_handle(0), PYR_INVALID_HANDLE);
    everywhere("an address", cell_handle((uint64_t)1 << 62 | 4096), PYR_INVALID_HANDLE);
    released = handle_on("object()");
    last = handle_on("object()");
    pyr_release(released);
    everywhere("a released handle", cell_handle(released), PYR_STALE_HANDLE);
    everywhere("a handle of the future", cell_handle(last + 1000), PYR_INVALID_HANDLE);
    everywhere("a name of nobody", cell_name(12345), PYR_INVALID_NAME);
    texts();
    arrays();
    return finish();
}
