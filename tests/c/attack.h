/*
 * attack.h: what a confused or hostile program gives to the functions of the library. All that is said to be
 * readable is; everything else is as wrong as can be.
 */
#ifndef ATTACK_H
#define ATTACK_H

#include "check.h"
#include <pthread.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CELLS 400
#define HELD 30

/* What one thread has. */
struct attacker {
    uint64_t random;
    /* Cells, arrays and loans of the call that is being made, and of those round it. */
    pyr_value cells[CELLS];
    pyr_array arrays[CELLS];
    pyr_loan loans[CELLS];
    int cell_count, array_count, loan_count, depth;
    /* What is to be given back one day. 0 where there is nothing. */
    pyr_handle handles[HELD];
    uint64_t buffers[HELD];
    pyr_name names[HELD];
    uint64_t calls;
    unsigned statuses[32];
};

/* How often Python came to keep a loan, and how often it told that it let go of one. */
static long loans_kept, loans_told;

static inline uint64_t any(struct attacker *self) {
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random * UINT64_C(0x2545F4914F6CDD1D);
}

static inline unsigned below(struct attacker *self, unsigned limit) { return (unsigned)((any(self) >> 33) % limit); }

static inline uint64_t number(struct attacker *self) {
    static const uint64_t odd[] = {0, 1, 2, 3, 63, 64, UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 61,
                                   UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX >> 1, UINT64_MAX - 7};
    return below(self, 2) ? odd[below(self, COUNT(odd))] : any(self) >> below(self, 64);
}

/* A number that names something, did so once, or never did. */
static inline uint64_t forged(struct attacker *self, const uint64_t *held) {
    uint64_t name = held[below(self, HELD)];
    switch (below(self, 4)) {
    case 0: return number(self);
    case 1: return name ^ (UINT64_C(1) << below(self, 64));
    default: return name;
    }
}

static inline pyr_value text_of(struct attacker *self) {
    static const char *const texts[] = {"attack_same", "attack_keep", "attack_call", "attack_raise", "len", "str",
        "attack_module", "no.such.name", "no_such_module", "operator:add", ":", "a:b:c", "operator:no", "", ".", "a..b", "1x", "(",
        "lambda", "lambda *a, **k: a", "1 + 1", "1/0", "x = ", "__class__", "__dict__", "upper", "append", "decimal.Decimal",
        "_pyrite.add", "_pyrite.", "\xff\xfe", "\xed\xa0\x80", "\xc0\x80", "a\xf4\x90\x80\x80", "\xe2\x82"};
    pyr_value made = cell_text(texts[below(self, COUNT(texts))]);
    if (below(self, 12) == 0) {
        made = cell_bytes(PYR_UTF8, "a\0b", 3);
    }
    if (below(self, 6) == 0) {
        made.tag = below(self, 2) ? PYR_LATIN1 : PYR_BYTES;
    }
    return made;
}

static inline pyr_value points_of(struct attacker *self) {
    static const uint32_t points[] = {97, 0, 0x10FFFF, 0xD800, 0x110000, UINT32_MAX, 0x20, 0x1F600};
    unsigned start = below(self, COUNT(points));
    pyr_value made = cell(below(self, 3) ? PYR_UCS4 : below(self, 2) ? PYR_UTF32 : PYR_PATH, below(self, COUNT(points) - start + 1));
    made.of.points = points + start;
    return made;
}

/* Memory that arrays are in: theirs is never looked for anywhere else. */
static double attack_memory[64];

static inline const pyr_array *array_of(struct attacker *self) {
    static const size_t dimensions[][3] = {{0, 3, 2}, {2, 4, 4}, {SIZE_MAX, 2, 0}, {0, SIZE_MAX, SIZE_MAX},
                                           {SIZE_MAX / 2, SIZE_MAX / 2, 3}, {1, 1, 1}, {0, 0, 0}, {0, SIZE_MAX / 2, 2}};
    pyr_array *made = &self->arrays[self->array_count % CELLS];
    unsigned which = below(self, COUNT(dimensions));
    /* Where the dimensions make sense, the memory is there; elsewhere it is NULL. */
    int sound = which == 0 || which == 1 || which == 5 || which == 6;
    self->array_count++;
    made->dimensions = below(self, 10) ? dimensions[which] : NULL;
    made->data = sound && below(self, 10) ? attack_memory : NULL;
    made->rank = below(self, 10) ? below(self, 4) : (uint32_t)number(self) | 33;
    made->element = below(self, 10) ? 1 + below(self, 13) : (pyr_element)number(self) | 16;
    return made;
}

static void attack_released(uint64_t id, void *context) {
    (void)id;
    CHECK(context == &loans_told);
    __atomic_fetch_add(&loans_told, 1, __ATOMIC_RELAXED);
}

/* Defined by the program: a function that answers as odd as it is asked. */
static int32_t attack_asked(pyr_question question, uint64_t id, void *context, const pyr_value *args, uint32_t nargs,
                            uint32_t nkwargs, pyr_reply *reply);

static inline pyr_loan *loan_of(struct attacker *self) {
    static const pyr_host hosts[] = {{sizeof(pyr_host), attack_released, attack_asked, 0, 0},
        {sizeof(pyr_host), attack_released, attack_asked, PYR_HOST_UCS4, 0},
        {sizeof(pyr_host), attack_released, attack_asked, PYR_DISPATCH, 0},
        {sizeof(pyr_host), attack_released, NULL, 0, 0}, {0, NULL, NULL, 0, 0}, {31, NULL, NULL, 0, 0},
        {SIZE_MAX, NULL, NULL, 0, 0}};
    static const ptrdiff_t strides[] = {0, 0, 0};
    pyr_loan *made = &self->loans[self->loan_count % CELLS];
    self->loan_count++;
    memset(made, 0, sizeof *made);
    made->id = below(self, 10) ? below(self, 50) : number(self);
    made->kind = below(self, 15) ? 1 + below(self, 3) : (pyr_loan_kind)number(self);
    made->flags = below(self, 15) ? below(self, 2) : (uint32_t)number(self);
    made->reserved = below(self, 30) == 0;
    made->array = below(self, 15) ? array_of(self) : NULL;
    made->strides = below(self, 5) ? NULL : strides;
    made->host = below(self, 20) ? &hosts[below(self, 4)] : &hosts[below(self, COUNT(hosts))];
    made->context = &loans_told;
    return made;
}

static inline const pyr_value *cells_of(struct attacker *self, unsigned count);

/* A cell, right or wrong. */
static inline pyr_value value_of(struct attacker *self) {
    /* No zero, which valgrind has a word on in some Pythons. */
    static const uint8_t digits[] = {1, 0x80, 0xFF, 1};
    static const double reals[] = {0.5, -1e308};
    unsigned count;
    pyr_value made = cell(0, 0);
    switch (below(self, 20)) {
    case 0: made.tag = PYR_NONE; break;
    case 1: return cell_bool((int)number(self));
    case 2: return cell_int((int64_t)number(self));
    case 3: made.tag = below(self, 2) ? PYR_FLOAT : PYR_SINGLE; made.of.handle = number(self); break;
    case 4: made.tag = PYR_CHARACTER; made.of.handle = number(self); break;
    case 5: return cell_bytes(PYR_BIGINT, digits, 1 + below(self, COUNT(digits)));
    case 6: made.tag = PYR_COMPLEX; made.of.reals = below(self, 5) ? reals : NULL; break;
    case 7: return points_of(self);
    case 8: return cell_name(forged(self, self->names));
    case 9: case 10: return cell_handle(forged(self, self->handles));
    case 11: made.tag = PYR_ARRAY; made.of.array = below(self, 10) ? array_of(self) : NULL; break;
    case 12: case 13: made.tag = PYR_LOAN; made.of.loan = below(self, 10) ? loan_of(self) : NULL; break;
    case 14:
        /* No memory at all, whatever the tag says is there. */
        made.tag = below(self, 3) ? below(self, 30) : (pyr_tag)number(self);
        made.aux = below(self, 2) ? below(self, 4) : (uint32_t)number(self);
        break;
    case 15: case 16:
        if (self->cell_count < CELLS - 60) {
            static const pyr_tag tags[] = {PYR_LIST, PYR_TUPLE, PYR_DICT, PYR_SLICE, PYR_FRACTION};
            made.tag = tags[below(self, COUNT(tags))];
            count = made.tag == PYR_FRACTION ? 2 : made.tag == PYR_SLICE ? 3 : below(self, 4);
            made.aux = below(self, 20) ? count : 0;
            made.of.items = cells_of(self, made.tag == PYR_DICT ? 2 * count : count);
        }
        break;
    default: return text_of(self);
    }
    return made;
}

/* That many cells, right or wrong, side by side. */
static inline const pyr_value *cells_of(struct attacker *self, unsigned count) {
    pyr_value *made = &self->cells[self->cell_count];
    unsigned i;
    self->cell_count += (int)count;
    for (i = 0; i < count; i++) {
        made[i] = value_of(self);
    }
    return made;
}

/* An argument: a cell, or nothing. */
static inline const pyr_value *one(struct attacker *self) { return below(self, 25) ? cells_of(self, 1) : NULL; }

/* Hold something, and give back what was held in its place. */
static inline void hold_handle(struct attacker *self, pyr_handle handle) {
    pyr_handle *place = &self->handles[below(self, HELD)];
    pyr_release(*place);
    *place = handle;
}

static inline void hold_buffer(struct attacker *self, uint64_t id) {
    uint64_t *place = &self->buffers[below(self, HELD)];
    pyr_buffer_release(*place);
    *place = id;
}

/* Hold what came in a cell and in all that it points to. */
static inline void hold_all(struct attacker *self, const pyr_value *value) {
    uint64_t i, count = 0;
    const pyr_value *items = value->of.items;
    switch (value->tag) {
    case PYR_HANDLE: hold_handle(self, value->of.handle); break;
    case PYR_LIST: case PYR_TUPLE: count = value->aux; break;
    case PYR_DICT: count = 2 * (uint64_t)value->aux; break;
    case PYR_ARRAY:
        if (value->of.array->element == PYR_OBJECT) {
            items = (const pyr_value *)value->of.array->data;
            for (i = 0, count = 1; i < value->of.array->rank; i++) {
                count *= value->of.array->dimensions[i];
            }
        }
        break;
    default: break;
    }
    for (i = 0; i < count; i++) {
        hold_all(self, &items[i]);
    }
}

#endif
