/* Every kind of value that is no container, from C to Python and from Python to C. */
#include "check.h"
#include <math.h>

static int same_units(const pyr_value *left, const pyr_value *right, size_t size) {
    return left->aux == right->aux &&
           (left->aux == 0 || memcmp(left->of.bytes, right->of.bytes, left->aux * size) == 0);
}

static int same(const pyr_value *left, const pyr_value *right) {
    if (left->tag != right->tag) {
        return 0;
    }
    switch (left->tag) {
    case PYR_NONE:
        return 1;
    case PYR_FLOAT:
        return (isnan(left->of.real) && isnan(right->of.real)) ||
               memcmp(&left->of.real, &right->of.real, sizeof(double)) == 0;
    case PYR_UCS4:
        return same_units(left, right, 4);
    case PYR_UTF8:
    case PYR_BIGINT:
    case PYR_BYTES:
        return same_units(left, right, 1);
    default:
        return left->aux == 0 && right->aux == 0 && left->of.integer == right->of.integer;
    }
}

static void into_python(const char *expression, pyr_value value) {
    pyr_value function = cell_text("lambda a, b: type(a) is type(b) and repr(a) == repr(b)"), arguments[2];
    pyr_result result;
    arguments[0] = value;
    arguments[1] = cell_handle(handle_on(expression));
    if (!CHECK_OK(pyr_call(&function, arguments, 2, 0, 0, &result)) || !CHECK(result.value.of.integer)) {
        printf("    passing %s\n", expression);
    }
    pyr_release(arguments[1].of.handle);
}

static void out_of_python(const char *expression, pyr_value value, uint32_t flags) {
    pyr_result result;
    if (CHECK_OK(evaluate(expression, flags, &result))) {
        if (!CHECK(same(&result.value, &value))) {
            printf("    getting %s\n", expression);
        }
        pyr_result_free(&result);
        CHECK(result.memory == NULL);
    }
}

static void both_ways(const char *expression, pyr_value value) {
    pyr_result result;
    into_python(expression, value);
    out_of_python(expression, value, 0);
    if (CHECK_OK(pyr_convert(&value, 0, &result))) {
        CHECK(same(&result.value, &value));
        pyr_result_free(&result);
    }
}

static void numbers(void) {
    /* 2**100 takes 13 bytes, of which the last has the sign; so does -2**100. */
    const uint8_t big[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16};
    const uint8_t negative[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xF0};
    const uint8_t just_over[9] = {0, 0, 0, 0, 0, 0, 0, 0x80, 0};
    pyr_value single = cell_float(0.5), truth = cell_bool(1);

    both_ways("None", cell_none());
    both_ways("True", cell_bool(1));
    both_ways("False", cell_bool(0));
    truth.of.integer = -7;
    into_python("True", truth);
    both_ways("0", cell_int(0));
    both_ways("-1", cell_int(-1));
    both_ways("2**63 - 1", cell_int(INT64_MAX));
    both_ways("-2**63", cell_int(INT64_MIN));
    both_ways("2**63", cell_bytes(PYR_BIGINT, just_over, 9));
    both_ways("2**100", cell_bytes(PYR_BIGINT, big, 13));
    both_ways("-2**100", cell_bytes(PYR_BIGINT, negative, 13));
    into_python("0", cell_bytes(PYR_BIGINT, NULL, 0));
    into_python("-16", cell_bytes(PYR_BIGINT, negative + 12, 1));

    both_ways("0.0", cell_float(0.0));
    both_ways("-0.0", cell_float(-0.0));
    both_ways("0.1", cell_float(0.1));
    both_ways("5e-324", cell_float(5e-324));
    both_ways("1.7976931348623157e308", cell_float(1.7976931348623157e308));
    both_ways("float('inf')", cell_float(INFINITY));
    both_ways("float('-inf')", cell_float(-INFINITY));
    both_ways("float('nan')", cell_float(NAN));
    single.tag = PYR_SINGLE;
    into_python("0.5", single);
}

static void texts(void) {
    /* All of one, two, three and four bytes, and a NUL in the middle. */
    const char mixed[] = "a\0\xC3\xA9\xE2\x82\xAC\xF0\x9F\x90\x8D";
    const uint32_t mixed_points[] = {'a', 0, 0xE9, 0x20AC, 0x1F40D}, lone_points[] = {'x', 0xD800, 0xDFFF};
    const char latin[] = "caf\xE9\xFF", lone[] = "x\xED\xA0\x80\xED\xBF\xBF";
    const char *mixed_python = "'a\\0\\xe9\\u20ac\\U0001F40D'", *lone_python = "'x\\ud800\\udfff'";

    both_ways("''", cell_bytes(PYR_UTF8, NULL, 0));
    both_ways("'abc'", cell_text("abc"));
    both_ways("'caf\\xe9'", cell_text("caf\xC3\xA9"));
    both_ways(mixed_python, cell_bytes(PYR_UTF8, mixed, sizeof mixed - 1));
    into_python(mixed_python, cell_bytes(PYR_UCS4, mixed_points, 5));
    out_of_python(mixed_python, cell_bytes(PYR_UCS4, mixed_points, 5), PYR_AS_UCS4);
    both_ways(lone_python, cell_bytes(PYR_UTF8, lone, sizeof lone - 1));
    into_python(lone_python, cell_bytes(PYR_UCS4, lone_points, 3));
    out_of_python(lone_python, cell_bytes(PYR_UCS4, lone_points, 3), PYR_AS_UCS4);
    into_python("''", cell_bytes(PYR_UCS4, NULL, 0));
    out_of_python("''", cell_bytes(PYR_UCS4, NULL, 0), PYR_AS_UCS4);
    into_python("'caf\\xe9\\xff'", cell_bytes(PYR_LATIN1, latin, 5));
    into_python("''", cell_bytes(PYR_LATIN1, NULL, 0));
    both_ways("b''", cell_bytes(PYR_BYTES, NULL, 0));
    both_ways("b'a\\0\\xff'", cell_bytes(PYR_BYTES, "a\0\xFF", 3));
}

/* Short text needs no memory of its own; the first that is longer than the scratch room does. */
static void in_scratch(const char *expression, uint32_t flags, int fits) {
    pyr_result result;
    if (CHECK_OK(evaluate(expression, flags, &result))) {
        const uint8_t *at = result.value.of.bytes;
        CHECK((at >= result.scratch && at < result.scratch + PYR_SCRATCH) == fits);
        CHECK((result.memory == NULL) == fits);
        CHECK(((uintptr_t)at & 7) == 0);
        pyr_result_free(&result);
        CHECK(result.memory == NULL);
        pyr_result_free(&result);
    }
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    numbers();
    texts();
    in_scratch("'x' * 488", 0, 1);
    in_scratch("'x' * 489", 0, 0);
    in_scratch("b'x' * 488", 0, 1);
    in_scratch("b'x' * 489", 0, 0);
    in_scratch("'x' * 122", PYR_AS_UCS4, 1);
    in_scratch("'x' * 123", PYR_AS_UCS4, 0);
    return finish();
}
