/* Cells that are no name, in every place where a function takes a name. */
#include "check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static pyr_value good;

/* Each place calls a function of the library with `bad` as the name, and good values everywhere else. */
#define PLACE(name, call)                                                      \
    static pyr_status name(const pyr_value *bad, pyr_result *out) {            \
        (void)out;                                                             \
        return call;                                                           \
    }

static pyr_status keyword(const pyr_value *bad, pyr_result *out) {
    pyr_value function = cell_text("dict"), pair[2];
    pair[0] = *bad;
    pair[1] = good;
    return pyr_call(&function, pair, 0, 1, 0, out);
}

PLACE(get_name, pyr_get(bad, 0, out))
PLACE(set_name, pyr_set(bad, &good))
PLACE(callee, pyr_call(bad, NULL, 0, 0, 0, out))
PLACE(method, pyr_call_method(&good, bad, NULL, 0, 0, 0, out))
PLACE(getattr_name, pyr_getattr(&good, bad, 0, out))
PLACE(setattr_name, pyr_setattr(&good, bad, &good))
PLACE(import_name, pyr_import(bad, NULL, 0, out))
PLACE(import_alias, pyr_import(&good, bad, 0, out))
PLACE(import_from_name, pyr_import_from(bad, &good, NULL, 0, out))
PLACE(import_from_module, pyr_import_from(&good, bad, NULL, 0, out))
PLACE(import_from_alias, pyr_import_from(&good, &good, bad, 0, out))

typedef pyr_status (*place)(const pyr_value *bad, pyr_result *out);

/* In these a name is a PYR_NAME or text; in those of imports it is text. */
static const place names[] = {get_name, set_name, callee, method, getattr_name, setattr_name, keyword};
static const place texts[] = {import_name, import_alias, import_from_name, import_from_module, import_from_alias};

static void refused(const place *places, size_t count, const char *what, pyr_value bad, pyr_status expected) {
    size_t i;
    for (i = 0; i < count; i++) {
        pyr_result out;
        pyr_error error;
        pyr_status status;
        memset(&out, 0, sizeof out);
        status = places[i](&bad, &out);
        CHECK_OK(pyr_error_last(&error, 0));
        if (!CHECK(status == expected && error.status == status && error.message_length > 0)) {
            printf("    %s in place %d of %d gave %u: %.*s\n", what, (int)i, (int)count, (unsigned)status,
                   (int)error.message_length, (const char *)error.message);
        }
        pyr_release(error.exception);
        CHECK(out.value.tag == 0 && out.memory == NULL);
        CHECK(is_true("sum([1, 2]) == 3"));
    }
}

static void everywhere(const char *what, pyr_value bad, pyr_status expected) {
    refused(names, COUNT(names), what, bad, expected);
    refused(texts, COUNT(texts), what, bad, expected);
}

static void bad_texts(void) {
    const uint32_t beyond = 0x110000;
    pyr_value points = cell(PYR_UCS4, 1);
    everywhere("bad UTF-8", cell_text("a\xFF"), PYR_INVALID_TEXT);
    everywhere("cut UTF-8", cell_text("\xE2\x82"), PYR_INVALID_TEXT);
    everywhere("overlong UTF-8", cell_text("\xC0\x80"), PYR_INVALID_TEXT);
    points.of.points = &beyond;
    everywhere("a point beyond U+10FFFF", points, PYR_INVALID_TEXT);
    everywhere("NULL as UTF-8", cell(PYR_UTF8, 1), PYR_NULL_ARGUMENT);
    everywhere("NULL as Latin-1", cell(PYR_LATIN1, 1), PYR_NULL_ARGUMENT);
    everywhere("NULL as UCS-4", cell(PYR_UCS4, 1), PYR_NULL_ARGUMENT);
    /* Names cannot have what no encoding to UTF-8 has. */
    refused(names, COUNT(names), "a surrogate", cell_text("\xED\xA0\x80"), PYR_INVALID_TEXT);
}

/* Names that this process never gave out. */
static void forged(void) {
    const char text[] = "abs";
    pyr_name name;
    must(pyr_intern((const uint8_t *)text, sizeof text - 1, &name));
    refused(names, COUNT(names), "name 0", cell_name(0), PYR_INVALID_NAME);
    refused(names, COUNT(names), "all ones", cell_name(UINT64_MAX), PYR_INVALID_NAME);
    refused(names, COUNT(names), "a name of the future", cell_name(name + 1000000), PYR_INVALID_NAME);
    refused(names, COUNT(names), "a name of elsewhere", cell_name(name ^ (uint64_t)1 << 50), PYR_INVALID_NAME);
    refused(texts, COUNT(texts), "a name", cell_name(name), PYR_INVALID_TAG);
}

static void interned(void) {
    pyr_name name = 0;
    CHECK_STATUS(PYR_INVALID_TEXT, pyr_intern((const uint8_t *)"a\xFF", 2, &name));
    CHECK_STATUS(PYR_INVALID_TEXT, pyr_intern((const uint8_t *)"\xED\xA0\x80", 3, &name));
    CHECK(name == 0);
    CHECK_OK(pyr_intern(NULL, 0, &name));
    CHECK(name != 0);
    /* What is no identifier is nothing's name, and as source it is none either. */
    refused(names, 3, "the empty name", cell_name(name), PYR_PYTHON_ERROR);
    refused(names, 3, "dots", cell_text("a..b"), PYR_PYTHON_ERROR);
    refused(names, 3, "a NUL", cell_bytes(PYR_UTF8, "a\0b", 3), PYR_PYTHON_ERROR);
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    good = cell_text("types");

    everywhere("tag 0", cell(0, 0), PYR_INVALID_TAG);
    everywhere("an unknown tag", cell(1000, 3), PYR_INVALID_TAG);
    refused(names + 3, COUNT(names) - 3, "a number", cell_int(1), PYR_INVALID_TAG);
    refused(texts, COUNT(texts), "a number", cell_int(1), PYR_INVALID_TAG);
    refused(texts, COUNT(texts), "bytes", cell_bytes(PYR_BYTES, "types", 5), PYR_INVALID_TAG);
    bad_texts();
    forged();
    interned();
    return finish();
}
