/* attack_table.h: how each function of the library is attacked. */
#ifndef ATTACK_TABLE_H
#define ATTACK_TABLE_H

#include "attack.h"

/* The Python that the program runs with. */
static char executable[4096];

static uint32_t flags_of(struct attacker *self) { return below(self, 20) ? below(self, 16) : (uint32_t)number(self); }

/* Room for a result, or none. */
static pyr_result *room(struct attacker *self, pyr_result *result) { return below(self, 25) ? result : NULL; }

/* What came of a call that may have given a result. */
static pyr_status given(struct attacker *self, pyr_status status, pyr_result *result) {
    if (status == PYR_OK) {
        hold_all(self, &result->value);
        CHECK(pyr_result_weight(result) < (size_t)1 << 40);
        pyr_result_free(result);
        pyr_result_free(result);
    }
    return status;
}

static pyr_status attack(struct attacker *self);
typedef pyr_status (*attack_function)(struct attacker *self);
#define ATTACK(name) static pyr_status attack_##name(struct attacker *self)
/* Functions of a cell, flags and a place for the result. */
#define UNARY(name) \
    ATTACK(name) { \
        pyr_result result; \
        const pyr_value *value = one(self); \
        return given(self, name(value, flags_of(self), room(self, &result)), &result); \
    }
#define BINARY(name) \
    ATTACK(name) { \
        pyr_result result; \
        const pyr_value *left = one(self), *right = one(self); \
        return given(self, name(left, right, flags_of(self), room(self, &result)), &result); \
    }
#define TERNARY(name) \
    ATTACK(name) { \
        const pyr_value *object = one(self), *key = one(self), *value = one(self); \
        return name(object, key, value); \
    }

UNARY(pyr_get)
UNARY(pyr_convert)
UNARY(pyr_str)
UNARY(pyr_repr)
UNARY(pyr_type_name)
UNARY(pyr_iter)
BINARY(pyr_getattr)
BINARY(pyr_getitem)
TERNARY(pyr_setattr)
TERNARY(pyr_setitem)

ATTACK(pyr_abi_version) { return (void)self, pyr_abi_version() == PYR_ABI_VERSION ? PYR_OK : PYR_PANIC; }
ATTACK(pyr_abi_minimum) { return (void)self, pyr_abi_minimum() == PYR_ABI_MINIMUM ? PYR_OK : PYR_PANIC; }
ATTACK(pyr_version) { return (void)self, pyr_version()[0] != 0 ? PYR_OK : PYR_PANIC; }

ATTACK(pyr_layout) {
    uint32_t numbers[100];
    pyr_layout(numbers, below(self, COUNT(numbers)));
    return pyr_layout(NULL, number(self)) < COUNT(numbers) ? PYR_OK : PYR_PANIC;
}

ATTACK(pyr_start) {
    pyr_start_options options;
    pyr_status status;
    memset(&options, 0, sizeof options);
    options.size = below(self, 2) ? sizeof options : number(self);
    options.executable = below(self, 4) ? (const uint8_t *)"/no\xff\0/such" : NULL;
    options.executable_length = below(self, 4) ? 10 : 0;
    options.code = below(self, 4) ? NULL : (const uint8_t *)"\xff";
    options.code_length = below(self, 4) ? 0 : options.code == NULL ? number(self) : 1;
    options.flags = (uint32_t)number(self);
    options.interrupt_signal = (uint32_t)number(self);
    status = pyr_start(below(self, 5) ? &options : NULL);
    return status;
}

/* Now and then: what it makes stale is made anew. */
ATTACK(pyr_stop) {
    static const char code[] =
        "import collections\n"
        "attack_kept = collections.deque(maxlen=50)\n"
        "def attack_same(*args, **keywords): return args, keywords\n"
        "def attack_keep(*args, **keywords): attack_kept.append((args, keywords))\n"
        "def attack_call(f, *args, **keywords): return f(*args, **keywords), repr(f), hasattr(f, 'x'), dir(f)\n"
        "def attack_raise(*args): raise ValueError(args)\n";
    pyr_start_options options;
    pyr_status status;
    int i;
    if (below(self, 500) != 0) {
        return PYR_OK;
    }
    /* Another thread may interrupt it. */
    for (status = PYR_PYTHON_ERROR, i = 0; status == PYR_PYTHON_ERROR && i < 100; i++) {
        status = pyr_stop();
    }
    CHECK_OK(status);
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.executable = (const uint8_t *)executable;
    options.executable_length = strlen(executable);
    options.code = (const uint8_t *)code;
    options.code_length = sizeof code - 1;
    return pyr_start(&options);
}

/* It does something once, so not first: threading is then shut down. */
ATTACK(pyr_end) { return below(self, 1000) == 0 ? pyr_end(below(self, 100)) : PYR_OK; }

/* A thread that asked for its number. */
static uint64_t some_thread;

ATTACK(pyr_thread_id) {
    uint64_t thread = pyr_thread_id();
    (void)self;
    __atomic_store_n(&some_thread, thread, __ATOMIC_RELAXED);
    return thread != 0 ? PYR_OK : PYR_PANIC;
}

ATTACK(pyr_interrupt) {
    int32_t interrupted = 0;
    uint64_t thread = below(self, 4) ? __atomic_load_n(&some_thread, __ATOMIC_RELAXED) : number(self);
    return pyr_interrupt(thread, below(self, 2) ? &interrupted : NULL);
}

ATTACK(pyr_limit) {
    uint64_t limit = 0;
    pyr_status status = pyr_limit(below(self, 2) ? 1000 : number(self), below(self, 10) ? &limit : NULL);
    if (status == PYR_OK) {
        status = attack(self);
        status = pyr_limit_end(below(self, 20) ? limit : number(self)) == PYR_OK ? status : PYR_OK;
        pyr_limit_end(limit);
    }
    return status;
}

ATTACK(pyr_limit_end) { return pyr_limit_end(number(self)); }

ATTACK(pyr_is_running) { return (void)self, pyr_is_running() >> 1 == 0 ? PYR_OK : PYR_PANIC; }

ATTACK(pyr_gil_acquire) {
    pyr_status status = pyr_gil_acquire();
    if (status == PYR_OK) {
        attack(self);
        pyr_gil_release();
    }
    return status;
}

ATTACK(pyr_gil_release) { return (void)self, pyr_gil_release(); }

/* What calls this is the host, not Python. */
ATTACK(pyr_give_up) { return (void)self, pyr_give_up() == 0 ? PYR_OK : PYR_PANIC; }

ATTACK(pyr_counters) {
    size_t live, pending;
    return pyr_counters(below(self, 2) ? &live : NULL, below(self, 2) ? &pending : NULL);
}

ATTACK(pyr_intern) {
    pyr_value text = text_of(self);
    int null = below(self, 10) == 0;
    return pyr_intern(null ? NULL : text.of.bytes, null ? number(self) : text.aux,
                      below(self, 10) ? &self->names[below(self, HELD)] : NULL);
}

/* A number that is in use may go: what used it must refuse it. */
ATTACK(pyr_name_release) { return pyr_name_release(below(self, 4) ? number(self) : self->names[below(self, HELD)]); }

ATTACK(pyr_stats) {
    size_t numbers[5];
    size_t count = pyr_stats(below(self, 9) ? numbers : NULL, below(self, COUNT(numbers) + 1));
    return count == COUNT(numbers) ? PYR_OK : PYR_PANIC;
}

/* Now and then nothing of some size can be had. */
ATTACK(pyr_limit_results) { return pyr_limit_results(below(self, 50) ? SIZE_MAX : below(self, 10000)); }

ATTACK(pyr_result_weight) {
    pyr_result result;
    memset(&result, 0, sizeof result);
    return pyr_result_weight(below(self, 2) ? &result : NULL) == 0 ? PYR_OK : PYR_PANIC;
}

ATTACK(pyr_handle_types) {
    pyr_result result;
    return given(self, pyr_handle_types(flags_of(self), room(self, &result)), &result);
}

ATTACK(pyr_set) {
    static const char *const names[] = {"attack_global", "attack_kept.x", "no.such", "", "1x", "\xff", "a:b"};
    pyr_value name = cell_text(names[below(self, COUNT(names))]), bad = cell((pyr_tag)number(self), 0);
    return pyr_set(below(self, 9) ? &name : below(self, 2) ? &bad : NULL, one(self));
}

/* Arguments, and keyword arguments some of whose names are text; or a count without any. */
static const pyr_value *arguments(struct attacker *self, uint32_t *nargs, uint32_t *nkwargs) {
    if (below(self, 20) == 0) {
        *nargs = (uint32_t)number(self);
        *nkwargs = (uint32_t)number(self);
        return NULL;
    }
    *nargs = below(self, 4);
    *nkwargs = below(self, 3) ? 0 : below(self, 3);
    return cells_of(self, *nargs + 2 * *nkwargs);
}

ATTACK(pyr_call) {
    pyr_result result;
    uint32_t nargs, nkwargs;
    const pyr_value *callable = one(self), *args = arguments(self, &nargs, &nkwargs);
    return given(self, pyr_call(callable, args, nargs, nkwargs, flags_of(self), room(self, &result)), &result);
}

ATTACK(pyr_call_method) {
    pyr_result result;
    uint32_t nargs, nkwargs;
    const pyr_value *object = one(self), *name = one(self), *args = arguments(self, &nargs, &nkwargs);
    return given(self, pyr_call_method(object, name, args, nargs, nkwargs, flags_of(self), room(self, &result)), &result);
}

ATTACK(pyr_result_free) {
    pyr_result result;
    memset(&result, 0, sizeof result);
    pyr_result_free(below(self, 2) ? &result : NULL);
    return PYR_OK;
}

ATTACK(pyr_next) {
    pyr_result result;
    int32_t more = 0;
    const pyr_value *iterator = one(self);
    pyr_status status = pyr_next(iterator, flags_of(self), room(self, &result), below(self, 20) ? &more : NULL);
    return more ? given(self, status, &result) : status;
}

ATTACK(pyr_is) {
    int32_t same;
    const pyr_value *left = one(self), *right = one(self);
    return pyr_is(left, right, below(self, 20) ? &same : NULL);
}

ATTACK(pyr_import) {
    pyr_result result;
    pyr_value alias = cell_text("attack_module"), name = below(self, 4) ? cell_text("colorsys") : value_of(self);
    pyr_result *out = below(self, 2) ? &result : NULL;
    pyr_status status = pyr_import(&name, below(self, 2) ? &alias : NULL, flags_of(self), out);
    return out == NULL ? status : given(self, status, out);
}

ATTACK(pyr_import_from) {
    pyr_result result;
    pyr_value alias = cell_text("attack_import"), module = below(self, 4) ? cell_text("colorsys") : value_of(self);
    const pyr_value *name = one(self);
    pyr_result *out = below(self, 2) ? &result : NULL;
    pyr_status status = pyr_import_from(name, &module, &alias, flags_of(self), out);
    return out == NULL ? status : given(self, status, out);
}

ATTACK(pyr_eval) {
    pyr_result result;
    uint32_t count, none;
    const pyr_value *parts = arguments(self, &count, &none);
    return given(self, pyr_eval(parts, count, flags_of(self), room(self, &result)), &result);
}

ATTACK(pyr_exec) {
    uint32_t count, none;
    const pyr_value *parts = arguments(self, &count, &none);
    return pyr_exec(parts, count);
}

ATTACK(pyr_retain) {
    pyr_handle handle = forged(self, self->handles);
    pyr_status status = pyr_retain(handle);
    if (status == PYR_OK) {
        hold_handle(self, handle);
    }
    return status;
}

ATTACK(pyr_release) { return pyr_release(forged(self, self->handles)); }

ATTACK(pyr_counts) {
    size_t holds, references;
    return pyr_counts(forged(self, self->handles), below(self, 2) ? &holds : NULL, below(self, 2) ? &references : NULL);
}

ATTACK(pyr_buffer_get) {
    pyr_buffer buffer;
    const pyr_value *value = one(self);
    pyr_status status = pyr_buffer_get(value, below(self, 9) ? below(self, 2) : (uint32_t)number(self),
                                       below(self, 20) ? &buffer : NULL);
    if (status == PYR_OK) {
        hold_buffer(self, buffer.id);
    }
    return status;
}

ATTACK(pyr_buffer_retain) {
    uint64_t id = forged(self, self->buffers);
    pyr_status status = pyr_buffer_retain(id);
    if (status == PYR_OK) {
        hold_buffer(self, id);
    }
    return status;
}

ATTACK(pyr_buffer_close) { return pyr_buffer_close(forged(self, self->buffers)); }
ATTACK(pyr_buffer_release) { return pyr_buffer_release(forged(self, self->buffers)); }
ATTACK(pyr_buffer_count) { return (void)self, pyr_buffer_count() < 100000 ? PYR_OK : PYR_PANIC; }

ATTACK(pyr_take_released) {
    uint64_t ids[5];
    size_t count = 0, capacity = below(self, COUNT(ids) + 1);
    pyr_status status = pyr_take_released(ids, capacity, &count);
    if (status == PYR_OK && capacity > 0) {
        __atomic_fetch_add(&loans_told, (long)count, __ATOMIC_RELAXED);
    }
    return below(self, 2) ? status : pyr_take_released(NULL, 3, below(self, 2) ? &count : NULL);
}

/* Outside of a question there is no reply; inside, see attack_asked. */
ATTACK(pyr_reply_value) { return pyr_reply_value(NULL, one(self)); }
ATTACK(pyr_reply_raise) { return pyr_reply_raise(NULL, one(self)); }
ATTACK(pyr_reply_fail) {
    const pyr_value *message = one(self), *payload = one(self);
    return pyr_reply_fail(NULL, message, payload, (int32_t)number(self));
}

ATTACK(pyr_serve) {
    pyr_request request;
    pyr_status status = pyr_serve(below(self, 50) == 0, below(self, 9) ? &request : NULL);
    CHECK(status != PYR_OK || request.ticket == 0);
    return status;
}

ATTACK(pyr_served) { return pyr_served(number(self), (int32_t)number(self)); }
ATTACK(pyr_serve_wake) { return (void)self, pyr_serve_wake(); }

ATTACK(pyr_error_last) {
    pyr_error error;
    pyr_status status = pyr_error_last(below(self, 9) ? &error : NULL, below(self, 20) == 0);
    if (status == PYR_OK) {
        hold_handle(self, error.exception);
    }
    return status;
}

ATTACK(pyr_error_clear) { return (void)self, pyr_error_clear(), PYR_OK; }

static const char *const watched[] = {"int", "no.such", "", ".", "collections.deque", "__main__.x", "\xff"};

ATTACK(pyr_watch_type) {
    const char *name = watched[below(self, COUNT(watched))];
    int null = below(self, 9) == 0;
    return pyr_watch_type(null ? NULL : (const uint8_t *)name, null ? number(self) : strlen(name), (uint32_t)number(self));
}

ATTACK(pyr_format_exception) {
    pyr_result result;
    pyr_handle exception = forged(self, self->handles);
    return given(self, pyr_format_exception(exception, flags_of(self), room(self, &result)), &result);
}

ATTACK(pyr_test_panic) {
    pyr_status status = pyr_test_panic();
    (void)self;
    return status == PYR_NOT_RUNNING || status == PYR_TIMED_OUT ? status : status == PYR_PANIC ? PYR_OK : PYR_PANIC;
}

/* All that the library exports: tests/snapshots/symbols.txt tells when one is missing here. */
#define ROW(name) {#name, attack_##name}
static const struct {
    const char *name;
    attack_function function;
} table[] = {
    ROW(pyr_abi_minimum), ROW(pyr_abi_version), ROW(pyr_buffer_close), ROW(pyr_buffer_count),
    ROW(pyr_buffer_get), ROW(pyr_buffer_release), ROW(pyr_buffer_retain), ROW(pyr_call), ROW(pyr_call_method),
    ROW(pyr_convert), ROW(pyr_counters), ROW(pyr_counts), ROW(pyr_end), ROW(pyr_error_clear), ROW(pyr_error_last),
    ROW(pyr_eval), ROW(pyr_exec), ROW(pyr_format_exception), ROW(pyr_get), ROW(pyr_getattr), ROW(pyr_getitem),
    ROW(pyr_gil_acquire), ROW(pyr_gil_release), ROW(pyr_give_up), ROW(pyr_import), ROW(pyr_import_from), ROW(pyr_intern), ROW(pyr_interrupt),
    ROW(pyr_is), ROW(pyr_is_running), ROW(pyr_iter), ROW(pyr_layout), ROW(pyr_limit), ROW(pyr_limit_end), ROW(pyr_next), ROW(pyr_release),
    ROW(pyr_handle_types), ROW(pyr_limit_results), ROW(pyr_name_release), ROW(pyr_result_weight), ROW(pyr_stats),
    ROW(pyr_reply_fail), ROW(pyr_reply_raise), ROW(pyr_reply_value), ROW(pyr_repr), ROW(pyr_result_free),
    ROW(pyr_retain), ROW(pyr_serve), ROW(pyr_serve_wake), ROW(pyr_served), ROW(pyr_set), ROW(pyr_setattr),
    ROW(pyr_setitem), ROW(pyr_start), ROW(pyr_stop), ROW(pyr_str), ROW(pyr_take_released),
    ROW(pyr_test_panic), ROW(pyr_thread_id), ROW(pyr_type_name), ROW(pyr_version), ROW(pyr_watch_type),
};

#endif
