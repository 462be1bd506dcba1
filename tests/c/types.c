/* Watched types: their objects come as they are, with the number of their type. */
#include "check.h"

static void watch(const char *name, uint32_t number) {
    CHECK_OK(pyr_watch_type((const uint8_t *)name, strlen(name), number));
}

/* The number that the object of a handle cell came with; the handle is given back. */
static uint32_t number_of(const pyr_value *value) {
    if (!CHECK(value->tag == PYR_HANDLE)) {
        return 12345;
    }
    CHECK_OK(pyr_release(value->of.handle));
    return value->aux;
}

/* Whether what an expression gives is an object with that number. */
static int numbered(const char *expression, uint32_t flags, uint32_t number) {
    pyr_result result;
    int good = CHECK_OK(evaluate(expression, flags, &result)) && number_of(&result.value) == number;
    CHECK(result.memory == NULL);
    pyr_result_free(&result);
    return good;
}

static pyr_tag tag_of(const char *expression, uint32_t flags) {
    pyr_result result;
    pyr_tag tag;
    CHECK_OK(evaluate(expression, flags, &result));
    tag = result.value.tag;
    if (tag == PYR_HANDLE) {
        pyr_release(result.value.of.handle);
    }
    pyr_result_free(&result);
    return tag;
}

static void before_the_start(void) {
    watch("int", 1);
    watch("datetime.date", 2);
    watch("__main__.Thing", 3);
    watch("Bare", 4);
    watch("json.JSONDecodeError", 5);
    watch("dict", 6);
}

static void roots(void) {
    CHECK(numbered("7", PYR_TYPED, 1));
    CHECK(numbered("2 ** 100", PYR_TYPED | PYR_AS_UCS4, 1));
    CHECK(numbered("datetime.date(2000, 1, 1)", PYR_TYPED, 2));
    CHECK(numbered("Thing()", PYR_TYPED, 3));
    CHECK(numbered("Bare()", PYR_TYPED, 4));
    /* The way to a type, which is printed as json.decoder.JSONDecodeError. */
    CHECK(numbered("json.JSONDecodeError('', '', 0)", PYR_TYPED, 5));
    CHECK(numbered("{}", PYR_TYPED, 6));
    /* What nobody watches, or another flag asks for. */
    CHECK(tag_of("7", 0) == PYR_INT && tag_of("7", PYR_TYPED_ITEMS) == PYR_INT);
    CHECK(tag_of("7.5", PYR_TYPED) == PYR_FLOAT && tag_of("'text'", PYR_TYPED) == PYR_UTF8);
    CHECK(tag_of("True", PYR_TYPED) == PYR_BOOL);
    CHECK(numbered("object()", PYR_TYPED, 0));
    CHECK(numbered("Thing()", 0, 0) && numbered("7", PYR_REMOTE | PYR_TYPED, 0));
}

static void other_types_of_the_name(void) {
    /* Neither a subclass nor a type that only looks so. */
    CHECK(numbered("Sub()", PYR_TYPED, 0));
    CHECK(numbered("datetime.datetime(2000, 1, 1)", PYR_TYPED, 0));
    execute("class dict: pass");
    CHECK(numbered("dict()", PYR_TYPED, 0));
    execute("del dict");
    /* A type whose own words cannot be trusted. */
    execute("class Meta(type):\n"
            "    def __getattribute__(self, name): raise ValueError(name)\n"
            "    def __eq__(self, other): raise ValueError\n"
            "class Liar(metaclass=Meta): pass\n");
    CHECK(numbered("Liar()", PYR_TYPED, 0));
    CHECK(is_true("sum([1, 2]) == 3"));
}

static void items(void) {
    pyr_result result;
    const pyr_value *cells;

    CHECK_OK(evaluate("[1, 'a', (2, Thing()), {}, 1.5]", PYR_TYPED_ITEMS, &result));
    CHECK(result.value.tag == PYR_LIST && result.value.aux == 5);
    cells = result.value.of.items;
    CHECK(number_of(&cells[0]) == 1);
    CHECK(cells[1].tag == PYR_UTF8);
    CHECK(cells[2].tag == PYR_TUPLE);
    CHECK(number_of(&cells[2].of.items[0]) == 1);
    CHECK(number_of(&cells[2].of.items[1]) == 3);
    CHECK(number_of(&cells[3]) == 6);
    CHECK(cells[4].tag == PYR_FLOAT);
    pyr_result_free(&result);

    /* The root is converted, though its type is watched. */
    CHECK_OK(evaluate("{1: {}}", PYR_TYPED_ITEMS, &result));
    CHECK(result.value.tag == PYR_DICT);
    CHECK(number_of(&result.value.of.items[0]) == 1);
    CHECK(number_of(&result.value.of.items[1]) == 6);
    pyr_result_free(&result);
}

static void texts(void) {
    pyr_value seven = cell_int(7);
    pyr_result result;
    watch("str", 9);
    CHECK_OK(pyr_repr(&seven, PYR_TYPED, &result));
    CHECK(result.value.tag == PYR_UTF8);
    pyr_result_free(&result);
    watch("str", 0);
}

static void changes(void) {
    watch("int", 8);
    CHECK(numbered("7", PYR_TYPED, 8));
    watch("int", 0);
    CHECK(tag_of("7", PYR_TYPED) == PYR_INT);
    watch("never.heard.of", 0);
    watch("int", 1);
}

static void many_types(void) {
    size_t before = live_handles();
    int i;
    /* Types come and go, at the same addresses even; none is kept. */
    execute("import gc, weakref\n"
            "kinds = weakref.WeakSet()\n"
            "def fresh(name):\n"
            "    kind = type(name, (), {'__module__': '__main__'})\n"
            "    kinds.add(kind)\n"
            "    return kind()\n");
    for (i = 0; i < repeated(3000); i++) {
        if (!numbered(i % 2 ? "fresh('Thing')" : "fresh('Other')", PYR_TYPED, i % 2 ? 3 : 0)) {
            CHECK(!"a type was taken for another");
            break;
        }
    }
    CHECK(live_handles() == before);
    CHECK(is_true("gc.collect() + 1 and len(kinds) < 10"));
}

static int32_t watch_late(pyr_question question, uint64_t id, void *context, const pyr_value *args, uint32_t nargs,
                          uint32_t nkwargs, pyr_reply *reply) {
    CHECK(question == PYR_ASK_CALL && id == 1 && context == NULL && nargs + nkwargs == 0);
    (void)args;
    watch("Late", 8);
    CHECK(tag_of("7.5", PYR_TYPED) == PYR_FLOAT);
    reply->value->tag = PYR_NONE;
    return 1;
}

static pyr_host host = {sizeof(pyr_host), NULL, watch_late, 0, 0};

/* A type is watched, and others are asked for, while it is found out that nobody watches it. */
static void watched_meanwhile(void) {
    pyr_value name = cell_text("watch_late"), value = cell(PYR_LOAN, 0);
    pyr_loan loan;
    memset(&loan, 0, sizeof loan);
    loan.id = 1;
    loan.kind = PYR_LENT_FUNCTION;
    loan.host = &host;
    value.of.loan = &loan;
    CHECK_OK(pyr_set(&name, &value));
    execute("import _pyrite\n"
            "class Late: pass\n"
            "before = _pyrite.watched_name\n"
            "def watched_name(kind, names):\n"
            "    _pyrite.watched_name, name = before, before(kind, names)\n"
            "    watch_late()\n"
            "    return name\n"
            "_pyrite.watched_name = watched_name\n");
    CHECK(tag_of("Late()", PYR_TYPED) == PYR_HANDLE);
    CHECK(numbered("Late()", PYR_TYPED, 8));
}

static void after_a_stop(int argc, char **argv) {
    CHECK_OK(pyr_stop());
    watch("float", 7);
    start_python(argc, argv);
    CHECK(numbered("7.5", PYR_TYPED, 7));
    CHECK(numbered("7", PYR_TYPED, 1));
}

int main(int argc, char **argv) {
    before_the_start();
    start_python(argc, argv);
    execute("import datetime, json\n"
            "class Thing: pass\n"
            "class Bare: pass\n"
            "class Sub(Thing): pass\n");
    roots();
    other_types_of_the_name();
    items();
    texts();
    changes();
    many_types();
    watched_meanwhile();
    after_a_stop(argc, argv);
    return finish();
}
