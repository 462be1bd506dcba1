/*
 * pyrite.h: CPython embedded in any host that can call C.
 * Generated from the Rust sources by cbindgen: do not edit, run `make header`.
 *
 * STARTING. libpyrite is built for no particular Python. The program chooses one by having its
 * libpythonX.Y.so loaded with global visibility before libpyrite: link to it
 * (cc program.c -lpyrite -lpythonX.Y), or dlopen it with RTLD_NOW | RTLD_GLOBAL and then libpyrite.
 * Then pyr_start with the path of a python executable of that version; a venv's will do. CPython 3.9
 * and later are served.
 *
 * VALUES cross as cells, pyr_value: a tag and a payload. Numbers are in the cell; text is pointer and
 * length; lists, tuples and dicts point to the cells of their items, nested as they are. Any other
 * object is a handle. One call crosses once, whatever the size of its arguments and of its result.
 *
 *     pyr_value callable = {PYR_UTF8, 3, {0}}, argument = {PYR_FLOAT, 0, {0}};
 *     pyr_result result;
 *     callable.of.bytes = (const uint8_t *)"abs";
 *     argument.of.real = -2.0;
 *     if (pyr_call(&callable, &argument, 1, 0, 0, &result) == PYR_OK) {
 *         printf("%f\n", result.value.of.real);
 *         pyr_result_free(&result);
 *     }
 *
 * OWNERSHIP. Arguments are yours and are only read. A result is yours: free it once you have read it.
 * A handle in a result is yours: release it once you are done. Nothing else needs freeing.
 *
 * ARRAYS of numbers are one cell, PYR_ARRAY, whatever their size. As an argument they are copied; in a
 * result a large one is numpy's own memory, which is there until the result is freed.
 *
 * LENDING. PYR_LOAN gives Python the host's own thing instead of a copy: the memory of an array, on which
 * it then has a numpy array, or an object or a function, opaque to it, by a number. What comes back is
 * known by that number, PYR_HOST. Python may keep what it is lent: the call tells so, and the end of that
 * is told by a function of the host's or by pyr_take_released. See pyr_loan.
 *
 * CALLBACKS. A function that is lent can be called by Python code: the loan's host, a pyr_host, is asked
 * (PYR_ASK_CALL), and answers in the pyr_reply with a value, a Python exception or an error of its own;
 * it is asked for attributes, too. It is asked without the GIL and may call Python again, on any thread
 * that Python code runs on, or with PYR_DISPATCH on threads of its own that wait in pyr_serve. Without
 * such a thread, and when one ends without pyr_served, who asks waits for ever. examples/c/callback.c is
 * a program to start from.
 *
 * ERRORS. Every function that can fail returns a pyr_status, 0 for success, and writes its
 * out-parameters only then. pyr_error_last tells type, message and traceback. NULL, a bad tag, bad
 * text and a stale or made-up handle are statuses, never crashes.
 *
 * THREADS. Any thread may call any function at any time. Each call takes the GIL and drops it;
 * pyr_gil_acquire holds it over many. Errors are kept for each thread. The floating-point environment
 * and the signal handlers of the host are left as they are. After fork, a child must not call; in one
 * that Python code makes, asking the host raises a RuntimeError. A host that has made other interpreters
 * than Python's first calls while no thread state of theirs is current.
 */

#ifndef PYRITE_H
#define PYRITE_H

#include <stddef.h>
#include <stdint.h>

/**
 * The version of this interface: `major << 16 | minor`. Within a major, things are only added.
 */
#define PYR_ABI_VERSION 65536

/**
 * The oldest interface that this library still serves; see `pyr_abi_minimum`.
 */
#define PYR_ABI_MINIMUM 65536

/**
 * How deep containers may be nested in a conversion; 1000 in the key of a dict and in a slice.
 */
#define PYR_MAXIMUM_DEPTH 1000000

/**
 * How many bytes of text fit in a result without memory of its own.
 */
#define PYR_SCRATCH 488

/**
 * Flag for `pyr_start`: the host computes nothing with the x87 unit, so a call that finds its exceptions
 * unmasked masks them and leaves them so, instead of putting the host's control word back. A host whose
 * x87 exceptions are masked anyway gains nothing; one that unmasks them saves most of what a call costs.
 */
#define PYR_NO_X87 1

/**
 * Flag for the `pyr_start` that starts Python: signals are the host's, but SIGINT ends Python code.
 *
 * A SIGINT that comes to a thread while it is in Python raises KeyboardInterrupt there, or does what Python
 * code asked for by `signal.signal`; the call returns `PYR_PYTHON_ERROR`, and then the function that the
 * host has for SIGINT, if any, is called, once. If the call was over first, it returns its result, and the
 * function is called all the same. A SIGINT that comes to a thread that is not in Python, or in code of the
 * host's that Python called, does what it did before. On the thread that started Python, sleeping and
 * waiting end at once; on others at their end, as do long computations in C on any. Without effect on an
 * interpreter that somebody else started.
 *
 * Python code cannot take the signals on which memory faults and the host's collector depend, if the host
 * has functions for them: `signal.signal`, `faulthandler.enable` and `faulthandler.register` warn instead.
 */
#define PYR_KEEP_SIGNALS 2

/**
 * Flag for a call: give every result as a `PYR_HANDLE`, whatever its type.
 */
#define PYR_REMOTE 1

/**
 * Flag for a call: give text as `PYR_UCS4` instead of `PYR_UTF8`.
 */
#define PYR_AS_UCS4 2

/**
 * Flag for a call: give objects of watched types (see `pyr_watch_type`) as `PYR_HANDLE`, wherever they
 * are in the result.
 */
#define PYR_TYPED 4

/**
 * Flag for a call: as `PYR_TYPED`, for what is in the result, but not for the result itself.
 */
#define PYR_TYPED_ITEMS 8

/**
 * Flag for a loan: Python must not write to the memory.
 */
#define PYR_READ_ONLY 1

/**
 * Flag of a host: it is asked on threads that are in a call of its own, and questions of other threads wait
 * for one that serves them; see `pyr_serve`.
 */
#define PYR_DISPATCH 1

/**
 * Flag of a host: give it text as `PYR_UCS4` instead of `PYR_UTF8`.
 */
#define PYR_HOST_UCS4 2

/**
 * Flag of a host: give it objects of watched types as with `PYR_TYPED_ITEMS`.
 */
#define PYR_HOST_TYPED 4

/**
 * Flag for `pyr_buffer_get`: the memory is to be written to.
 */
#define PYR_WRITABLE 1

/**
 * Python's `BaseException`.
 */
#define PYR_KIND_BASE_EXCEPTION 1

/**
 * Python's `BaseExceptionGroup` (Python 3.11).
 */
#define PYR_KIND_BASE_EXCEPTION_GROUP 2

/**
 * Python's `GeneratorExit`.
 */
#define PYR_KIND_GENERATOR_EXIT 3

/**
 * Python's `KeyboardInterrupt`.
 */
#define PYR_KIND_KEYBOARD_INTERRUPT 4

/**
 * Python's `SystemExit`.
 */
#define PYR_KIND_SYSTEM_EXIT 5

/**
 * Python's `Exception`.
 */
#define PYR_KIND_EXCEPTION 6

/**
 * Python's `ArithmeticError`.
 */
#define PYR_KIND_ARITHMETIC_ERROR 7

/**
 * Python's `FloatingPointError`.
 */
#define PYR_KIND_FLOATING_POINT_ERROR 8

/**
 * Python's `OverflowError`.
 */
#define PYR_KIND_OVERFLOW_ERROR 9

/**
 * Python's `ZeroDivisionError`.
 */
#define PYR_KIND_ZERO_DIVISION_ERROR 10

/**
 * Python's `AssertionError`.
 */
#define PYR_KIND_ASSERTION_ERROR 11

/**
 * Python's `AttributeError`.
 */
#define PYR_KIND_ATTRIBUTE_ERROR 12

/**
 * Python's `BufferError`.
 */
#define PYR_KIND_BUFFER_ERROR 13

/**
 * Python's `EOFError`.
 */
#define PYR_KIND_EOF_ERROR 14

/**
 * Python's `ImportError`.
 */
#define PYR_KIND_IMPORT_ERROR 15

/**
 * Python's `ModuleNotFoundError`.
 */
#define PYR_KIND_MODULE_NOT_FOUND_ERROR 16

/**
 * Python's `LookupError`.
 */
#define PYR_KIND_LOOKUP_ERROR 17

/**
 * Python's `IndexError`.
 */
#define PYR_KIND_INDEX_ERROR 18

/**
 * Python's `KeyError`.
 */
#define PYR_KIND_KEY_ERROR 19

/**
 * Python's `MemoryError`.
 */
#define PYR_KIND_MEMORY_ERROR 20

/**
 * Python's `NameError`.
 */
#define PYR_KIND_NAME_ERROR 21

/**
 * Python's `UnboundLocalError`.
 */
#define PYR_KIND_UNBOUND_LOCAL_ERROR 22

/**
 * Python's `OSError`.
 */
#define PYR_KIND_OS_ERROR 23

/**
 * Python's `BlockingIOError`.
 */
#define PYR_KIND_BLOCKING_IO_ERROR 24

/**
 * Python's `ChildProcessError`.
 */
#define PYR_KIND_CHILD_PROCESS_ERROR 25

/**
 * Python's `ConnectionError`.
 */
#define PYR_KIND_CONNECTION_ERROR 26

/**
 * Python's `BrokenPipeError`.
 */
#define PYR_KIND_BROKEN_PIPE_ERROR 27

/**
 * Python's `ConnectionAbortedError`.
 */
#define PYR_KIND_CONNECTION_ABORTED_ERROR 28

/**
 * Python's `ConnectionRefusedError`.
 */
#define PYR_KIND_CONNECTION_REFUSED_ERROR 29

/**
 * Python's `ConnectionResetError`.
 */
#define PYR_KIND_CONNECTION_RESET_ERROR 30

/**
 * Python's `FileExistsError`.
 */
#define PYR_KIND_FILE_EXISTS_ERROR 31

/**
 * Python's `FileNotFoundError`.
 */
#define PYR_KIND_FILE_NOT_FOUND_ERROR 32

/**
 * Python's `InterruptedError`.
 */
#define PYR_KIND_INTERRUPTED_ERROR 33

/**
 * Python's `IsADirectoryError`.
 */
#define PYR_KIND_IS_A_DIRECTORY_ERROR 34

/**
 * Python's `NotADirectoryError`.
 */
#define PYR_KIND_NOT_A_DIRECTORY_ERROR 35

/**
 * Python's `PermissionError`.
 */
#define PYR_KIND_PERMISSION_ERROR 36

/**
 * Python's `ProcessLookupError`.
 */
#define PYR_KIND_PROCESS_LOOKUP_ERROR 37

/**
 * Python's `TimeoutError`.
 */
#define PYR_KIND_TIMEOUT_ERROR 38

/**
 * Python's `ReferenceError`.
 */
#define PYR_KIND_REFERENCE_ERROR 39

/**
 * Python's `RuntimeError`.
 */
#define PYR_KIND_RUNTIME_ERROR 40

/**
 * Python's `NotImplementedError`.
 */
#define PYR_KIND_NOT_IMPLEMENTED_ERROR 41

/**
 * Python's `PythonFinalizationError` (Python 3.13).
 */
#define PYR_KIND_PYTHON_FINALIZATION_ERROR 42

/**
 * Python's `RecursionError`.
 */
#define PYR_KIND_RECURSION_ERROR 43

/**
 * Python's `StopAsyncIteration`.
 */
#define PYR_KIND_STOP_ASYNC_ITERATION 44

/**
 * Python's `StopIteration`.
 */
#define PYR_KIND_STOP_ITERATION 45

/**
 * Python's `SyntaxError`.
 */
#define PYR_KIND_SYNTAX_ERROR 46

/**
 * Python's `IndentationError`.
 */
#define PYR_KIND_INDENTATION_ERROR 47

/**
 * Python's `TabError`.
 */
#define PYR_KIND_TAB_ERROR 48

/**
 * Python's `SystemError`.
 */
#define PYR_KIND_SYSTEM_ERROR 49

/**
 * Python's `TypeError`.
 */
#define PYR_KIND_TYPE_ERROR 50

/**
 * Python's `ValueError`.
 */
#define PYR_KIND_VALUE_ERROR 51

/**
 * Python's `UnicodeError`.
 */
#define PYR_KIND_UNICODE_ERROR 52

/**
 * Python's `UnicodeDecodeError`.
 */
#define PYR_KIND_UNICODE_DECODE_ERROR 53

/**
 * Python's `UnicodeEncodeError`.
 */
#define PYR_KIND_UNICODE_ENCODE_ERROR 54

/**
 * Python's `UnicodeTranslateError`.
 */
#define PYR_KIND_UNICODE_TRANSLATE_ERROR 55

/**
 * Python's `Warning`.
 */
#define PYR_KIND_WARNING 56

/**
 * Python's `BytesWarning`.
 */
#define PYR_KIND_BYTES_WARNING 57

/**
 * Python's `DeprecationWarning`.
 */
#define PYR_KIND_DEPRECATION_WARNING 58

/**
 * Python's `EncodingWarning` (Python 3.10).
 */
#define PYR_KIND_ENCODING_WARNING 59

/**
 * Python's `FutureWarning`.
 */
#define PYR_KIND_FUTURE_WARNING 60

/**
 * Python's `ImportWarning`.
 */
#define PYR_KIND_IMPORT_WARNING 61

/**
 * Python's `PendingDeprecationWarning`.
 */
#define PYR_KIND_PENDING_DEPRECATION_WARNING 62

/**
 * Python's `ResourceWarning`.
 */
#define PYR_KIND_RESOURCE_WARNING 63

/**
 * Python's `RuntimeWarning`.
 */
#define PYR_KIND_RUNTIME_WARNING 64

/**
 * Python's `SyntaxWarning`.
 */
#define PYR_KIND_SYNTAX_WARNING 65

/**
 * Python's `UnicodeWarning`.
 */
#define PYR_KIND_UNICODE_WARNING 66

/**
 * Python's `UserWarning`.
 */
#define PYR_KIND_USER_WARNING 67

/**
 * Python's `ExceptionGroup` (Python 3.11).
 */
#define PYR_KIND_EXCEPTION_GROUP 68

/**
 * What a function returns: `PYR_OK`, or why it failed. Numbers are never reused.
 *
 * After any other status than `PYR_OK` the out-parameters are untouched, the interpreter and the
 * GIL are as they were before the call, and `pyr_error_last` tells the details.
 */
typedef uint32_t pyr_status;

/**
 * How to start Python; see `pyr_start`.
 */
typedef struct pyr_start_options {
    /**
     * `sizeof(pyr_start_options)`.
     */
    size_t size;
    /**
     * The path of the `python` executable whose `sys.prefix`, `sys.path` and packages are wanted
     * (that of a venv, say): UTF-8 as the file system has it, without NULs.
     */
    const uint8_t *executable;
    /**
     * Its length in bytes.
     */
    size_t executable_length;
    /**
     * Python source that is executed in `__main__` before any other call enters, in UTF-8; NULL for
     * none. When it raises, Python counts as stopped, and `pyr_start` returns `PYR_PYTHON_ERROR`.
     */
    const uint8_t *code;
    /**
     * Its length in bytes.
     */
    size_t code_length;
    /**
     * `PYR_NO_X87` and `PYR_KEEP_SIGNALS`, or 0.
     */
    uint32_t flags;
    /**
     * With `PYR_KEEP_SIGNALS`: the signal by which the host interrupts threads of its own, or 0. One that comes
     * to a thread in Python ends Python code there as SIGINT does, and is then the host's.
     */
    uint32_t interrupt_signal;
} pyr_start_options;

/**
 * A name that was prepared by `pyr_intern`: below 2^62. 0 is no name. See `pyr_name_release`.
 */
typedef uint64_t pyr_name;

/**
 * What a cell holds. 0 is no tag.
 */
typedef uint32_t pyr_tag;

/**
 * A reference to a Python object: an integer, never a pointer. 0 is no handle.
 *
 * Below 2^62. Each one that a function gives you is yours: give it back with `pyr_release`.
 * A handle that is stale, released or made up gives a status, never a crash.
 */
typedef uint64_t pyr_handle;

/**
 * The element type of an array.
 */
typedef uint32_t pyr_element;

/**
 * An array in memory: C order, no gaps, native byte order.
 */
typedef struct pyr_array {
    /**
     * The first element; NULL is allowed when there is no element.
     */
    const void *data;
    /**
     * `rank` sizes, outermost first; NULL is allowed when `rank` is 0.
     */
    const size_t *dimensions;
    /**
     * The number of dimensions, 32 at the most.
     */
    uint32_t rank;
    /**
     * The type of the elements, such as `PYR_FLOAT64`.
     */
    pyr_element element;
} pyr_array;

/**
 * What is lent.
 */
typedef uint32_t pyr_loan_kind;

/**
 * Told that Python let go of the loan `id`, which it had kept: the host may free what it lent. Called on
 * any thread, with the GIL, and must not call Python, nor wait for who does; `context` is the loan's.
 */
typedef void (*pyr_release_function)(uint64_t id, void *context);

/**
 * What Python wants of something that was lent.
 */
typedef uint32_t pyr_question;

/**
 * The place for the host's answer to a question.
 *
 * A value whose cell points to nothing (a number, a truth value, `PYR_NONE`) can be written to `*value`
 * itself. For any value there is `pyr_reply_value`, for an exception `pyr_reply_raise` and
 * `pyr_reply_fail`.
 */
typedef struct pyr_reply {
    /**
     * Where a plain answer is written.
     */
    struct pyr_value *value;
    /**
     * The library's own.
     */
    void *object;
    /**
     * The library's own.
     */
    uint32_t raised;
    /**
     * 0.
     */
    uint32_t reserved;
} pyr_reply;

/**
 * Asked `question` about the loan `id`: 1 when the answer is in `reply`, 0 when there is none, which gives
 * Python its usual error (an AttributeError, say).
 *
 * Called without the GIL and with the host's floating-point environment, on the thread that asks, which
 * is any that Python code runs on; see `PYR_DISPATCH`. On a thread of Python's that environment is C's
 * default one. It may call all functions of this library, must return, and must not unwind; what it holds
 * with `pyr_gil_acquire` is given back when it returns. `args` and all that they point to live until it returns; handles in them
 * are the host's to release.
 */
typedef int32_t (*pyr_ask_function)(pyr_question question,
                                    uint64_t id,
                                    void *context,
                                    const struct pyr_value *args,
                                    uint32_t nargs,
                                    uint32_t nkwargs,
                                    struct pyr_reply *reply);

/**
 * Who lends, and answers Python's questions about its loans; see `pyr_loan`.
 */
typedef struct pyr_host {
    /**
     * `sizeof(pyr_host)`.
     */
    size_t size;
    /**
     * Told when Python let go of a loan. NULL to have `pyr_take_released` tell.
     */
    pyr_release_function release;
    /**
     * Asked what Python wants of a loan. NULL when there are no answers: then functions cannot be called.
     */
    pyr_ask_function ask;
    /**
     * `PYR_DISPATCH`, `PYR_HOST_UCS4`, `PYR_HOST_TYPED`. The host may change the last one at any time.
     */
    uint32_t flags;
    /**
     * 0.
     */
    uint32_t reserved;
} pyr_host;

/**
 * Something that the host lends to Python, for the tag `PYR_LOAN`.
 *
 * What is lent must stay valid, and memory where it is, for as long as Python has it: until the call
 * returns, and if Python kept it (a global, an array that shares the memory, a handle, the traceback of
 * the last failure), until it lets go. `kept` tells which. Set it to 0 before the call; when the call
 * returns, with whatever status, it is how often Python came to keep the loan by this call. For each time,
 * `host->release` is called once when Python lets go, or without that function, `id` is given once by
 * `pyr_take_released`. That may happen before the call returns.
 *
 * When the object or the array itself comes back in a result, it is a cell of `PYR_HOST` with its `id`.
 * The id of an object or a function that Python has already, for the same `host` and `context`, names
 * the same Python object, which is kept once, by one of the calls that lend it.
 */
typedef struct pyr_loan {
    /**
     * The host's number for it, below 2^62.
     */
    uint64_t id;
    /**
     * What it is.
     */
    pyr_loan_kind kind;
    /**
     * `PYR_READ_ONLY` or 0.
     */
    uint32_t flags;
    /**
     * For `PYR_LENT_ARRAY`: the memory. Any elements but `PYR_OBJECT`; those of `PYR_BOOL8` are 0 or 1.
     */
    const struct pyr_array *array;
    /**
     * For `PYR_LENT_ARRAY`: the distance in bytes between elements, for each dimension; NULL for C order
     * without gaps.
     */
    const ptrdiff_t *strides;
    /**
     * What to ask of the host, or NULL. It must live as long as the process.
     */
    const struct pyr_host *host;
    /**
     * Given to the functions of `host`.
     */
    void *context;
    /**
     * How often Python came to keep it.
     */
    uint32_t kept;
    /**
     * 0.
     */
    uint32_t reserved;
} pyr_loan;

/**
 * What a cell's tag says is in it.
 */
typedef union pyr_payload {
    /**
     * For `PYR_INT`, `PYR_BOOL` and `PYR_CHARACTER`.
     */
    int64_t integer;
    /**
     * For `PYR_FLOAT` and `PYR_SINGLE`.
     */
    double real;
    /**
     * For `PYR_HANDLE`.
     */
    pyr_handle handle;
    /**
     * For `PYR_NAME`.
     */
    pyr_name name;
    /**
     * For `PYR_UTF8`, `PYR_LATIN1`, `PYR_BIGINT` and `PYR_BYTES`. NULL is allowed when `aux` is 0.
     */
    const uint8_t *bytes;
    /**
     * For `PYR_UCS4`, `PYR_UTF32` and `PYR_PATH`. NULL is allowed when `aux` is 0.
     */
    const uint32_t *points;
    /**
     * For `PYR_LIST`, `PYR_TUPLE`, `PYR_DICT`, `PYR_FRACTION` and `PYR_SLICE`. NULL is allowed when `aux` is 0.
     */
    const struct pyr_value *items;
    /**
     * For `PYR_COMPLEX`: two numbers.
     */
    const double *reals;
    /**
     * For `PYR_ARRAY`.
     */
    const struct pyr_array *array;
    /**
     * For `PYR_LOAN`. `kept` is written to.
     */
    struct pyr_loan *loan;
    /**
     * For `PYR_HOST`.
     */
    uint64_t id;
} pyr_payload;

/**
 * A cell: one value, 16 bytes. Containers point to the cells of their items.
 *
 * As an argument a cell and all that it points to are yours, are only read, and need to live until
 * the function returns.
 */
typedef struct pyr_value {
    /**
     * What is in it.
     */
    pyr_tag tag;
    /**
     * How much is in it: see the tags. 0 for the others.
     */
    uint32_t aux;
    /**
     * The value itself, or where it is.
     */
    union pyr_payload of;
} pyr_value;

/**
 * The value that a call gave. Yours, to be given to `pyr_result_free` once read.
 *
 * The root value may point into `scratch`, so read it where it is: a copy of this struct points
 * into the original.
 */
typedef struct pyr_result {
    /**
     * The root of the value.
     */
    struct pyr_value value;
    /**
     * The memory behind it, or NULL when there is none to free.
     */
    void *memory;
    /**
     * Room for short text.
     */
    uint8_t scratch[PYR_SCRATCH];
} pyr_result;

/**
 * The memory of a Python object, where it is; see `pyr_buffer_get`.
 *
 * Everything here, and the memory, is there and stays where it is until the last hold of `id` is given
 * back, also after `pyr_stop`. The element with the subscripts i, j, ... stands at
 * `(char *)data + i * strides[0] + j * strides[1] + ...`, where nobody says that it is aligned. Copies of
 * this struct are as good as the struct.
 */
typedef struct pyr_buffer {
    /**
     * What to hold and to give back: below 2^62, never 0, never a handle.
     */
    uint64_t id;
    /**
     * The first element: the one whose subscripts are all 0.
     */
    void *data;
    /**
     * The size in bytes of all elements, were there no gaps between them.
     */
    size_t length;
    /**
     * The size in bytes of one element.
     */
    size_t item_size;
    /**
     * The type of the elements as Python's buffer protocol writes it (as the module `struct` does, and a
     * few more): UTF-8. `B` when the object does not tell.
     */
    const uint8_t *format;
    /**
     * Its length in bytes.
     */
    size_t format_length;
    /**
     * `rank` sizes, outermost first.
     */
    const size_t *dimensions;
    /**
     * For each dimension, how many bytes further the next element is: may be negative, or 0.
     */
    const ptrdiff_t *strides;
    /**
     * The number of dimensions. 0 for a single element.
     */
    uint32_t rank;
    /**
     * The type of the elements, such as `PYR_FLOAT64`, when they are of one of these types in native
     * byte order; else 0: `format` and `item_size` tell.
     */
    pyr_element element;
    /**
     * 1 when the memory must not be written to, else 0.
     */
    uint32_t read_only;
    /**
     * 0.
     */
    uint32_t reserved;
} pyr_buffer;

/**
 * A question that waits for one of the host's threads; see `pyr_serve`.
 */
typedef struct pyr_request {
    /**
     * What names it for `pyr_served`; 0 when there was none.
     */
    uint64_t ticket;
    /**
     * As for `pyr_ask_function`.
     */
    uint64_t id;
    /**
     * As for `pyr_ask_function`.
     */
    void *context;
    /**
     * As for `pyr_ask_function`. They live until `pyr_served`.
     */
    const struct pyr_value *args;
    /**
     * Where the answer goes.
     */
    struct pyr_reply *reply;
    /**
     * As for `pyr_ask_function`.
     */
    uint32_t nargs;
    /**
     * As for `pyr_ask_function`.
     */
    uint32_t nkwargs;
    /**
     * As for `pyr_ask_function`.
     */
    pyr_question question;
    /**
     * How many other threads wait for questions now. Who takes the last one's place should see to another
     * before it answers: the answer may have to wait for the next question. `UINT32_MAX` when the thread
     * that asks is one of the host's, which is ending: who makes a thread may have to wait for that.
     */
    uint32_t idle;
} pyr_request;

/**
 * What went wrong last on this thread; see `pyr_error_last`.
 *
 * All text is UTF-8, not NUL-terminated, and lives until the next failing call on this thread, or the
 * next `pyr_error_last`. Empty text is NULL and 0.
 */
typedef struct pyr_error {
    /**
     * The status that the failing call returned.
     */
    pyr_status status;
    /**
     * Which of Python's builtin exception classes the exception is of, or inherits from: the nearest one,
     * such as `PYR_KIND_VALUE_ERROR`. 0 when no Python exception was raised.
     */
    uint32_t kind;
    /**
     * The exception's qualified type name, such as `ValueError` or `json.decoder.JSONDecodeError`;
     * empty when no Python exception was raised.
     */
    const uint8_t *type_name;
    /**
     * Its length in bytes.
     */
    size_t type_name_length;
    /**
     * What went wrong, in words.
     */
    const uint8_t *message;
    /**
     * Its length in bytes.
     */
    size_t message_length;
    /**
     * The formatted traceback, as Python prints it; empty when none was asked for.
     */
    const uint8_t *traceback;
    /**
     * Its length in bytes.
     */
    size_t traceback_length;
    /**
     * A handle on the exception, yours to release; 0 when there is none.
     */
    pyr_handle exception;
} pyr_error;

/**
 * Success.
 */
#define PYR_OK 0

/**
 * Python raised an exception; `pyr_error_last` has its type, message, traceback and a handle on it.
 */
#define PYR_PYTHON_ERROR 1

/**
 * An argument that must not be NULL is NULL.
 */
#define PYR_NULL_ARGUMENT 2

/**
 * A handle that this process never gave out.
 */
#define PYR_INVALID_HANDLE 3

/**
 * A handle that was released, or was made before `pyr_stop` or by another process.
 */
#define PYR_STALE_HANDLE 4

/**
 * A cell whose tag is unknown, or not allowed in its place.
 */
#define PYR_INVALID_TAG 5

/**
 * Text that is not valid in its encoding.
 */
#define PYR_INVALID_TEXT 6

/**
 * A `size` field that this library does not know.
 */
#define PYR_INVALID_SIZE 7

/**
 * Python is not running: `pyr_start` was not called, failed, or `pyr_stop` came after it.
 */
#define PYR_NOT_RUNNING 8

/**
 * Python could not be started; `pyr_error_last` says why.
 */
#define PYR_START_FAILED 9

/**
 * The libpython in this process is one that cannot be served (too old, or free-threaded).
 */
#define PYR_UNSUPPORTED_PYTHON 10

/**
 * A name (see `pyr_intern`) that this process never gave out, or that was given back.
 */
#define PYR_INVALID_NAME 11

/**
 * A container that contains itself cannot be converted.
 */
#define PYR_CIRCULAR 12

/**
 * Containers are nested deeper than `PYR_MAXIMUM_DEPTH`.
 */
#define PYR_TOO_DEEP 13

/**
 * A container was changed by other code while it was being converted.
 */
#define PYR_CHANGED 14

/**
 * `pyr_gil_release` without a `pyr_gil_acquire` on this thread.
 */
#define PYR_GIL_NOT_HELD 15

/**
 * A fault inside this library (a caught panic); the message says which. Please report it.
 */
#define PYR_PANIC 16

/**
 * An array whose element type or dimensions cannot be converted.
 */
#define PYR_INVALID_ARRAY 17

/**
 * A flag that this library does not know, or a reserved field that is not 0.
 */
#define PYR_INVALID_FLAGS 18

/**
 * A limit of time (see `pyr_limit`) was over: Python code was ended by a KeyboardInterrupt, or not begun.
 */
#define PYR_TIMED_OUT 19

/**
 * A result that takes more memory than `pyr_limit_results` allows.
 */
#define PYR_TOO_LARGE 20

/**
 * Python's `None`.
 */
#define PYR_NONE 1

/**
 * Python's `True` or `False`: `of.integer` is 1 or 0.
 */
#define PYR_BOOL 2

/**
 * An int that fits in 64 signed bits: `of.integer`.
 */
#define PYR_INT 3

/**
 * A float: `of.real`.
 */
#define PYR_FLOAT 4

/**
 * Text in UTF-8: `of.bytes`, `aux` bytes. Lone surrogates are written as three bytes each.
 */
#define PYR_UTF8 5

/**
 * Text of one byte a character, U+0000 to U+00FF: `of.bytes`, `aux` characters. Arguments only.
 */
#define PYR_LATIN1 6

/**
 * Text of one native-endian 32-bit code point a character, lone surrogates allowed: `of.points`, `aux`
 * characters.
 */
#define PYR_UCS4 7

/**
 * An int of any size: `of.bytes`, `aux` bytes, two's complement, little-endian.
 */
#define PYR_BIGINT 8

/**
 * A list: `of.items`, `aux` cells.
 */
#define PYR_LIST 9

/**
 * A tuple: `of.items`, `aux` cells.
 */
#define PYR_TUPLE 10

/**
 * A dict: `of.items`, `aux` pairs of cells (key, value, key, value, ...). Keys that are equal in Python are a
 * `ValueError`.
 */
#define PYR_DICT 11

/**
 * Any object: `of.handle`. In a result the handle is yours to release, and `aux` is the number of its type
 * when a flag of the call asked for it (see `pyr_watch_type`), else 0.
 */
#define PYR_HANDLE 12

/**
 * A prepared name: `of.name`. Where a callable or an attribute name is wanted, or as an argument, which
 * then is the value that the name has.
 */
#define PYR_NAME 13

/**
 * Bytes: `of.bytes`, `aux` bytes.
 */
#define PYR_BYTES 14

/**
 * A numpy array: `of.array`. In results it has less than 64 dimensions, each less than 2^56; other arrays
 * are `PYR_HANDLE`.
 */
#define PYR_ARRAY 15

/**
 * A float of single precision (numpy's float16 or float32): `of.real`. As an argument, a float.
 */
#define PYR_SINGLE 16

/**
 * As `PYR_UCS4`, but lone surrogates are refused, as UTF-32 does. Arguments only.
 */
#define PYR_UTF32 17

/**
 * A complex number: `of.reals`, its real and its imaginary part. In a result `aux` is 1 when they are of
 * single precision, else 0.
 */
#define PYR_COMPLEX 18

/**
 * A `fractions.Fraction`: `of.items`, the cells of its numerator and its denominator. `aux` is 2.
 */
#define PYR_FRACTION 19

/**
 * A character of the host: `of.integer`, its code point. In Python it is a str of length 1, of a type of
 * its own, and comes back as a character.
 */
#define PYR_CHARACTER 20

/**
 * The name of a file, as text of `aux` code points like `PYR_UCS4`. In Python it is an `os.PathLike` of a
 * type of its own, and comes back as a file's name.
 */
#define PYR_PATH 21

/**
 * Something that the host lends to Python: `of.loan`. Arguments only.
 */
#define PYR_LOAN 22

/**
 * What the host lent and now gets back: `of.id`, the loan's id; `aux` is its kind. Results only. If Python
 * kept it, Python does not let go of it before the result is freed.
 */
#define PYR_HOST 23

/**
 * A slice: `of.items`, the cells of its start, stop and step, `PYR_NONE` for one that is not given. `aux`
 * is 3. Arguments only: a slice in a result is a handle.
 */
#define PYR_SLICE 24

/**
 * IEEE single float.
 */
#define PYR_FLOAT32 1

/**
 * IEEE double float.
 */
#define PYR_FLOAT64 2

/**
 * Signed integer of 8 bits.
 */
#define PYR_INT8 3

/**
 * Signed integer of 16 bits.
 */
#define PYR_INT16 4

/**
 * Signed integer of 32 bits.
 */
#define PYR_INT32 5

/**
 * Signed integer of 64 bits.
 */
#define PYR_INT64 6

/**
 * Unsigned integer of 8 bits.
 */
#define PYR_UINT8 7

/**
 * Unsigned integer of 16 bits.
 */
#define PYR_UINT16 8

/**
 * Unsigned integer of 32 bits.
 */
#define PYR_UINT32 9

/**
 * Unsigned integer of 64 bits.
 */
#define PYR_UINT64 10

/**
 * Two single floats: real and imaginary part.
 */
#define PYR_COMPLEX64 11

/**
 * Two double floats: real and imaginary part.
 */
#define PYR_COMPLEX128 12

/**
 * Truth values of one byte each: 0 is false, anything else (1, in a result) true.
 */
#define PYR_BOOL8 13

/**
 * Any values: `data` points to their cells. Nested in one another 100 deep at the most in a result.
 */
#define PYR_OBJECT 14

/**
 * Any object: to Python it is opaque, equal to itself only.
 */
#define PYR_LENT_OBJECT 1

/**
 * A function, which Python can call.
 */
#define PYR_LENT_FUNCTION 2

/**
 * The memory of an array: to Python it is a numpy array on that memory.
 */
#define PYR_LENT_ARRAY 3

/**
 * Call the function: `args` are its arguments, and as many pairs of a name (text) and a value as `nkwargs`
 * says, in the order of the call.
 */
#define PYR_ASK_CALL 1

/**
 * The attribute whose name (text) is the one argument.
 */
#define PYR_ASK_GETATTR 2

/**
 * Set the attribute whose name (text) is the first argument to the second.
 */
#define PYR_ASK_SETATTR 3

/**
 * A text that `repr()` is to give.
 */
#define PYR_ASK_REPR 4

/**
 * A list of the names (text) of attributes, for `dir()`.
 */
#define PYR_ASK_DIR 5

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the interface this library implements: `PYR_ABI_VERSION` of the header it was built
 * with. A host compares it with the version it was written for: the same major, and no lower minor.
 */
uint32_t pyr_abi_version(void);

/**
 * The oldest interface version whose hosts this library still serves.
 */
uint32_t pyr_abi_minimum(void);

/**
 * The version of this library, such as `"0.1.0"`: NUL-terminated, static.
 */
const char *pyr_version(void);

/**
 * The sizes and offsets of the structs above, as this library was built, for hosts that cannot read
 * the header: size of `pyr_value`, offsets of `aux` and `of`; size of `pyr_result`, offsets of
 * `memory` and `scratch`; size of `pyr_array`, offsets of `dimensions`, `rank`, `element`; size of
 * `pyr_error`, offsets of `type_name`, `message`, `traceback`, `exception`; size of
 * `pyr_start_options`, offsets of `executable`, `code` and `flags`; size of `pyr_buffer`, offsets of
 * `data`, `length`, `item_size`, `format`, `dimensions`, `strides`, `rank`, `element` and `read_only`.
 *
 * Writes at most `length` numbers to `numbers` and returns how many there are. `numbers` may be NULL.
 *
 * Requires: `numbers` points to `length` writable numbers, or is NULL.
 */
size_t pyr_layout(uint32_t *numbers,
                  size_t length);

/**
 * Start Python as the executable of `options` would run, or resume after `pyr_stop`.
 *
 * libpython must be loaded already, with global visibility: either the program is linked to it, or it
 * was opened with `dlopen(path, RTLD_NOW | RTLD_GLOBAL)` before this library. `sys.executable`,
 * `sys.prefix` and `sys.path` are then those of the executable, also in a venv. Signal handlers are
 * left as they are, but for that of SIGINT where `PYR_KEEP_SIGNALS` asks for it. Any thread may call this; several at once start one interpreter. When Python runs
 * already, nothing happens; an interpreter that somebody else started is used as it is. After a failure
 * inside Python's own start, it cannot be started in the same process any more.
 *
 * Returns `PYR_OK`, `PYR_NULL_ARGUMENT`, `PYR_INVALID_SIZE`, `PYR_INVALID_FLAGS`, `PYR_INVALID_TEXT`,
 * `PYR_START_FAILED` (there is no such executable, say), `PYR_UNSUPPORTED_PYTHON`, or
 * `PYR_PYTHON_ERROR` when the code in the options raised.
 *
 * Requires: `options` points to a readable `pyr_start_options`, or is NULL.
 */
pyr_status pyr_start(const struct pyr_start_options *options);

/**
 * Stop: empty `__main__` (but for `sys`, which is always there), run Python's garbage collector, make
 * every handle stale.
 *
 * The interpreter itself stays, since extension modules do not survive its end: `pyr_start` resumes
 * at once. Until then every other call returns `PYR_NOT_RUNNING`. Names (`pyr_intern`) stay valid.
 * Calls that other threads are in come to their end. Returns `PYR_OK`, also when Python did not run; or
 * `PYR_START_FAILED` when another thread is stopping Python and this one holds the GIL that it needs.
 */
pyr_status pyr_stop(void);

/**
 * To be called before the process ends: wait up to `milliseconds` for the threads that Python code made
 * (other than daemons), run the functions that were registered with `atexit`, flush `sys.stdout` and
 * `sys.stderr`. What takes longer is left alone, so that the process ends.
 *
 * The interpreter is not finalized, and other functions can still be called. A second call does nothing, nor
 * does one in a process without Python. Where somebody else started Python, its end is theirs: only the streams
 * are flushed. Returns `PYR_OK`.
 *
 * Who does finalize Python (`Py_FinalizeEx`, which is for who started it) need not stop threads before: calls
 * that run come to their end, within five seconds, and all later ones return `PYR_NOT_RUNNING`.
 */
pyr_status pyr_end(uint32_t milliseconds);

/**
 * 1 when Python runs, 0 when it was not started or was stopped.
 */
int32_t pyr_is_running(void);

/**
 * Hold the GIL on this thread until `pyr_gil_release`: calls in between are cheaper, other threads
 * wait. Holds nest. Do not block on other threads meanwhile.
 *
 * Returns `PYR_OK` or `PYR_NOT_RUNNING`.
 */
pyr_status pyr_gil_acquire(void);

/**
 * Undo one `pyr_gil_acquire` of this thread. Returns `PYR_OK` or `PYR_GIL_NOT_HELD`.
 */
pyr_status pyr_gil_release(void);

/**
 * Counters, for tests and for the curious: `live_handles` is how many objects the host holds,
 * `pending_releases` how much waits to be given back by the next call. Either may be NULL.
 *
 * Requires: Both point to writable numbers, or are NULL.
 */
pyr_status pyr_counters(size_t *live_handles, size_t *pending_releases);

/**
 * How many things there are, for tests and for the curious, in this order: handles that are alive; what
 * waits to be given back by the next call; buffers that are held; names that are held; threads that have a
 * Python thread state because they entered.
 *
 * Writes at most `length` numbers to `numbers`, which may be NULL, and returns how many there are: later
 * versions have more. Needs no GIL, and may be called at any time: other threads may change the numbers
 * meanwhile.
 *
 * Requires: `numbers` points to `length` writable numbers, or is NULL.
 */
size_t pyr_stats(size_t *numbers,
                 size_t length);

/**
 * Refuse results that take more than `bytes` of memory, as `pyr_result_weight` tells it, with
 * `PYR_TOO_LARGE`; also in the arguments of the host's functions, where that is a ValueError of Python's.
 *
 * For hosts that cannot do with more, in any case: it is refused before it takes much. Holds for all
 * threads. Without this call there is no limit. Returns `PYR_OK`.
 */
pyr_status pyr_limit_results(size_t bytes);

/**
 * Prepare a name: an attribute's, a dotted one such as `os.path.join`, or source to be called.
 *
 * A dotted name is looked up in `__main__` and then in builtins. With a colon, as in `os.path:join`, what
 * is before it is a module, which is imported when nobody did so yet; the rest are attributes.
 *
 * `name` gets a number that this process understands from now on, in `PYR_NAME` cells: using it costs
 * less than using the text. It is looked up afresh at each use, so a redefinition is always seen.
 * The same text has one number, which is valid after `pyr_stop`, too, and as long as you hold it: each
 * `pyr_intern` holds it once. Where the number of names has a bound, they need no release.
 *
 * `text` is UTF-8, `length` bytes. Returns `PYR_OK`, `PYR_NULL_ARGUMENT`, `PYR_INVALID_TEXT` or
 * `PYR_NOT_RUNNING`.
 *
 * Requires: `text` points to `length` readable bytes; `name` to a writable `pyr_name`. Either may be NULL.
 */
pyr_status pyr_intern(const uint8_t *text,
                      size_t length,
                      pyr_name *name);

/**
 * Give one hold of `name`, which came from `pyr_intern`, back: with the last its number is no name any
 * more, and is never given out again.
 *
 * For hosts with ever new names. Made for finalizers, as `pyr_release` is. A number that is no name does no
 * harm. Returns `PYR_OK`.
 */
pyr_status pyr_name_release(pyr_name name);

/**
 * The value of a dotted name: its first part in `__main__`, then in builtins, the rest by attribute.
 *
 * `name` is a `PYR_NAME` or text, and no expression. `flags` as for `pyr_call`.
 * Returns `PYR_OK` or `PYR_PYTHON_ERROR` (a NameError when undefined), or a status for a bad argument.
 *
 * Requires: `name` points to a cell that can be read with all that it points to; `out` to a writable result.
 * Either may be NULL.
 */
pyr_status pyr_get(const struct pyr_value *name,
                   uint32_t flags,
                   struct pyr_result *out);

/**
 * Set a global of `__main__`, or the last attribute of a dotted name.
 *
 * `name` is a `PYR_NAME` or text. Returns `PYR_OK` or `PYR_PYTHON_ERROR`, or a status for a bad
 * argument.
 *
 * Requires: Both point to cells that can be read with all that they point to, or are NULL.
 */
pyr_status pyr_set(const struct pyr_value *name, const struct pyr_value *value);

/**
 * Call something.
 *
 * `callable` is a `PYR_HANDLE`; a `PYR_NAME` or text, which is a dotted name or else source of an
 * expression (`lambda x: x*x`) whose value is called; or any other value that can be called. `args`
 * is `nargs` cells of positional arguments, followed by `nkwargs` *pairs* of cells for keyword
 * arguments: name (`PYR_NAME` or text), value. It may be NULL when there are none.
 *
 * `flags` are `PYR_REMOTE`, `PYR_AS_UCS4`, `PYR_TYPED` and `PYR_TYPED_ITEMS`. On `PYR_OK`, `out` is the value, to be given to
 * `pyr_result_free`. Returns `PYR_PYTHON_ERROR` when the call raised, or a status for a bad argument.
 *
 * Requires: `callable` and `args` can be read with all that they point to; `out` is writable. Any may be NULL.
 */
pyr_status pyr_call(const struct pyr_value *callable,
                    const struct pyr_value *args,
                    uint32_t nargs,
                    uint32_t nkwargs,
                    uint32_t flags,
                    struct pyr_result *out);

/**
 * Call the method `name` of `object`; the rest as for `pyr_call`.
 *
 * `object` is any value (the method `upper` of a text cell, say); `name` is a `PYR_NAME` or text.
 *
 * Requires: `object`, `name` and `args` can be read with all that they point to; `out` is writable. Any may be
 * NULL.
 */
pyr_status pyr_call_method(const struct pyr_value *object,
                           const struct pyr_value *name,
                           const struct pyr_value *args,
                           uint32_t nargs,
                           uint32_t nkwargs,
                           uint32_t flags,
                           struct pyr_result *out);

/**
 * Free the memory behind a result; what `value` points to is gone then. Handles in it stay yours.
 *
 * Never blocks, needs no GIL, and may be called on any thread, also while Python does not run. A
 * result that was freed, or never had memory, is left alone; so is NULL.
 *
 * Requires: `result` was filled in by a call that returned `PYR_OK`, or is all zero, or is NULL. A copy of a
 * result is not a second result.
 */
void pyr_result_free(struct pyr_result *result);

/**
 * What a host needs about, in bytes, for the value of `result` besides its cell: as much as there is memory
 * behind it, that of Python's which it points to included, and some for each dict and handle in it. 0 when
 * there is no memory behind it.
 *
 * For hosts with little memory, to be asked before they convert a result. Needs no GIL.
 *
 * Requires: `result` is one that a function filled and that was not freed, or NULL.
 */
size_t pyr_result_weight(const struct pyr_result *result);

/**
 * The attribute `name` (a `PYR_NAME` or text) of `object` (any value).
 *
 * `flags` and `out` as for `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (AttributeError when
 * there is none), or a status for a bad argument.
 *
 * Requires: `object` and `name` can be read with all that they point to; `out` is writable. Any may be NULL.
 */
pyr_status pyr_getattr(const struct pyr_value *object,
                       const struct pyr_value *name,
                       uint32_t flags,
                       struct pyr_result *out);

/**
 * Set the attribute `name` (a `PYR_NAME` or text) of `object` to `value` (both any value).
 *
 * Returns `PYR_OK` or `PYR_PYTHON_ERROR`, or a status for a bad argument.
 *
 * Requires: All three can be read with all that they point to, or are NULL.
 */
pyr_status pyr_setattr(const struct pyr_value *object,
                       const struct pyr_value *name,
                       const struct pyr_value *value);

/**
 * `object[key]`: the item of a list, dict, array or anything else that has items.
 *
 * `flags` and `out` as for `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (IndexError, KeyError),
 * or a status for a bad argument.
 *
 * Requires: `object` and `key` can be read with all that they point to; `out` is writable. Any may be NULL.
 */
pyr_status pyr_getitem(const struct pyr_value *object,
                       const struct pyr_value *key,
                       uint32_t flags,
                       struct pyr_result *out);

/**
 * `object[key] = value`.
 *
 * Returns `PYR_OK` or `PYR_PYTHON_ERROR` (TypeError for an unhashable key), or a status for a bad
 * argument.
 *
 * Requires: All three can be read with all that they point to, or are NULL.
 */
pyr_status pyr_setitem(const struct pyr_value *object,
                       const struct pyr_value *key,
                       const struct pyr_value *value);

/**
 * Turn a value into the form that `flags` ask for: the object behind a `PYR_HANDLE` into its value,
 * or with `PYR_REMOTE` any value into a handle on a Python object.
 *
 * Returns `PYR_OK`, `PYR_PYTHON_ERROR` when Python cannot make or read the value (an unhashable key,
 * say), or a status for a bad argument.
 *
 * Requires: `value` can be read with all that it points to; `out` is writable. Either may be NULL.
 */
pyr_status pyr_convert(const struct pyr_value *value,
                       uint32_t flags,
                       struct pyr_result *out);

/**
 * `str(value)`, as text. `flags`: `PYR_AS_UCS4`. Returns `PYR_OK` or `PYR_PYTHON_ERROR`, or a status
 * for a bad argument.
 *
 * Requires: `value` can be read with all that it points to; `out` is writable. Either may be NULL.
 */
pyr_status pyr_str(const struct pyr_value *value,
                   uint32_t flags,
                   struct pyr_result *out);

/**
 * `repr(value)`, as text. As `pyr_str`.
 *
 * Requires: `value` can be read with all that it points to; `out` is writable. Either may be NULL.
 */
pyr_status pyr_repr(const struct pyr_value *value, uint32_t flags, struct pyr_result *out);

/**
 * The name of the value's type, such as `list`, as text. As `pyr_str`.
 *
 * Requires: `value` can be read with all that it points to; `out` is writable. Either may be NULL.
 */
pyr_status pyr_type_name(const struct pyr_value *value, uint32_t flags, struct pyr_result *out);

/**
 * Whether two values are the same Python object: `same` gets 1 or 0.
 *
 * Returns `PYR_OK`, `PYR_PYTHON_ERROR` when Python cannot make one of them, or a status for a bad
 * argument.
 *
 * Requires: `left` and `right` can be read with all that they point to; `same` is writable. Any may be NULL.
 */
pyr_status pyr_is(const struct pyr_value *left, const struct pyr_value *right, int32_t *same);

/**
 * Import the module `name` (text, may be dotted) and bind it in `__main__` as `import name` does; with
 * `alias` (text, may be NULL) as `import name as alias` does. `out`, which may be NULL, gets what was
 * bound.
 *
 * Returns `PYR_OK` or `PYR_PYTHON_ERROR` (ImportError, or what the module raised), or a status for a
 * bad argument.
 *
 * Requires: `name` and `alias` can be read with all that they point to; `out` is writable. Any may be NULL.
 */
pyr_status pyr_import(const struct pyr_value *name,
                      const struct pyr_value *alias,
                      uint32_t flags,
                      struct pyr_result *out);

/**
 * Import `name` from the module `module` and bind it in `__main__` as `from module import name` does;
 * with `alias` (which may be NULL) under that name. As `pyr_import` otherwise.
 *
 * Requires: `name`, `module` and `alias` can be read with all that they point to; `out` is writable. Any may be
 * NULL.
 */
pyr_status pyr_import_from(const struct pyr_value *name,
                           const struct pyr_value *module,
                           const struct pyr_value *alias,
                           uint32_t flags,
                           struct pyr_result *out);

/**
 * The memory of `value`, an object with the buffer protocol: a numpy array, bytes, a bytearray, a
 * memoryview, an array.array, an mmap, and more. Nothing is copied: `buffer` tells where the memory is.
 *
 * `value` is any value; one that is not a handle becomes a new object first, of which the buffer is then
 * the only holder. `flags` are `PYR_WRITABLE` or 0. The buffer holds the object, and Python will not
 * resize it, until you give the buffer back with `pyr_buffer_close` or `pyr_buffer_release`. It outlives
 * `pyr_stop`. Python code that runs meanwhile sees what you write, and you see what it writes: that
 * neither disturbs the other is up to you.
 *
 * Returns `PYR_OK`; `PYR_PYTHON_ERROR` when the object has no such memory, or none that may be written to
 * (Python's BufferError, TypeError or ValueError); `PYR_INVALID_ARRAY` when its memory is not in one
 * piece; or a status for a bad argument.
 *
 * Requires: `value` can be read with all that it points to; `buffer` is writable. Either may be NULL.
 */
pyr_status pyr_buffer_get(const struct pyr_value *value,
                          uint32_t flags,
                          struct pyr_buffer *buffer);

/**
 * Hold the buffer `id` once more: it then is to be given back once more.
 *
 * Returns `PYR_OK`, `PYR_INVALID_HANDLE`, `PYR_STALE_HANDLE` (it was given back) or `PYR_NOT_RUNNING`.
 */
pyr_status pyr_buffer_retain(uint64_t id);

/**
 * Give one hold of the buffer `id` back, now. With the last one its memory is Python's again: do not look
 * at it any more.
 *
 * While Python does not run this is as `pyr_buffer_release`. Returns `PYR_OK`, or `PYR_INVALID_HANDLE` or
 * `PYR_STALE_HANDLE` when there was nothing to give back, which does no harm.
 */
pyr_status pyr_buffer_close(uint64_t id);

/**
 * Give one hold of the buffer `id` back, some time: when a call enters Python next.
 *
 * Made for finalizers, as `pyr_release` is: never blocks, needs no GIL, runs no Python code, and may be
 * called on any thread at any time, also while Python does not run. An id that is stale or made up does
 * no harm. Returns `PYR_OK`.
 */
pyr_status pyr_buffer_release(uint64_t id);

/**
 * How many buffers are held, for tests and for the curious. Those that wait to be given back count until
 * a call has entered Python. May be called at any time.
 */
size_t pyr_buffer_count(void);

/**
 * An iterator over `value`, as a handle: `iter(value)`. `pyr_next` gives its items.
 *
 * `flags` and `out` as for `pyr_call`; the result is a handle whatever the flags. Returns `PYR_OK` or
 * `PYR_PYTHON_ERROR` (TypeError when `value` cannot be iterated over), or a status for a bad argument.
 *
 * Requires: `value` can be read with all that it points to; `out` is writable. Either may be NULL.
 */
pyr_status pyr_iter(const struct pyr_value *value,
                    uint32_t flags,
                    struct pyr_result *out);

/**
 * The next item of `iterator`, usually a `PYR_HANDLE` from `pyr_iter`.
 *
 * `more` gets 1, and `out` the item; at the end `more` gets 0, and `out` is untouched. The end is no
 * failure: StopIteration is not told as an exception.
 *
 * `flags` and `out` as for `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (what the iterator raised,
 * TypeError when it is none), or a status for a bad argument.
 *
 * Requires: `iterator` can be read with all that it points to; `out` and `more` are writable. Any may be NULL.
 */
pyr_status pyr_next(const struct pyr_value *iterator,
                    uint32_t flags,
                    struct pyr_result *out,
                    int32_t *more);

/**
 * Evaluate an expression in `__main__`.
 *
 * The source is made of `parts`: text is source as it stands, any other value is spliced in by
 * reference (its object takes part in the expression, not its repr). `flags` and `out` as for
 * `pyr_call`. Returns `PYR_OK` or `PYR_PYTHON_ERROR` (SyntaxError too), or a status for a bad argument.
 *
 * Requires: `parts` is `nparts` cells that can be read with all that they point to; `out` is writable. Either
 * may be NULL.
 */
pyr_status pyr_eval(const struct pyr_value *parts,
                    uint32_t nparts,
                    uint32_t flags,
                    struct pyr_result *out);

/**
 * Execute statements in `__main__`. The source as for `pyr_eval`.
 *
 * Returns `PYR_OK` or `PYR_PYTHON_ERROR` (SystemExit too: the process goes on), or a status for a bad
 * argument.
 *
 * Requires: `parts` is `nparts` cells that can be read with all that they point to, or NULL.
 */
pyr_status pyr_exec(const struct pyr_value *parts,
                    uint32_t nparts);

/**
 * Hold `handle` once more: it then takes one more `pyr_release`.
 *
 * Returns `PYR_OK`, `PYR_INVALID_HANDLE`, `PYR_STALE_HANDLE` or `PYR_NOT_RUNNING`.
 */
pyr_status pyr_retain(pyr_handle handle);

/**
 * Give one hold of `handle` back.
 *
 * Made for finalizers: never blocks, needs no GIL, runs no Python code, and may be called on any
 * thread at any time, also while Python does not run. Each call that enters Python pays up to 1024 such
 * debts first; until its turn comes the handle still works. A handle that is stale or made up does no
 * harm. Returns `PYR_OK`.
 */
pyr_status pyr_release(pyr_handle handle);

/**
 * How often `handle` is held (`handle_count`), and how many references its object has in Python
 * (`object_count`, of which one is the handle's). Either may be NULL.
 *
 * Returns `PYR_OK`, `PYR_INVALID_HANDLE`, `PYR_STALE_HANDLE` or `PYR_NOT_RUNNING`.
 *
 * Requires: Both point to writable numbers, or are NULL.
 */
pyr_status pyr_counts(pyr_handle handle, size_t *handle_count, size_t *object_count);

/**
 * Of what types the objects are that have handles, to find out what is kept by mistake: a dict from the
 * types' qualified names to how many there are. `flags` and `out` as for `pyr_call`.
 *
 * Returns `PYR_OK`, `PYR_PYTHON_ERROR` (MemoryError, say), or a status for a bad argument.
 *
 * Requires: `out` points to a writable result, or is NULL.
 */
pyr_status pyr_handle_types(uint32_t flags,
                            struct pyr_result *out);

/**
 * The ids of loans without a `host` that Python kept and has let go of: at most `capacity` of them are
 * written to `ids`, and how many to `count`. Each is given once, to whoever asks first. With a `capacity`
 * of 0, `count` is how many there are.
 *
 * Never blocks, needs no GIL, and may be called on any thread, also while Python does not run. Returns
 * `PYR_OK` or `PYR_NULL_ARGUMENT`.
 *
 * Requires: `ids` points to `capacity` writable numbers, `count` to one. Either may be NULL.
 */
pyr_status pyr_take_released(uint64_t *ids,
                             size_t capacity,
                             size_t *count);

/**
 * Answer with `value`, any value.
 *
 * To be called by the host's `pyr_ask_function`, or between `pyr_serve` and `pyr_served`; the last answer
 * counts. Returns `PYR_OK`, `PYR_PYTHON_ERROR` when Python cannot make the value, or a status for a bad
 * argument.
 *
 * Requires: `reply` is the place that came with the question; `value` can be read with all that it points to. Either
 * may be NULL.
 */
pyr_status pyr_reply_value(struct pyr_reply *reply,
                           const struct pyr_value *value);

/**
 * Answer by raising `exception`: a Python exception, of which the host has a handle, or the class of one
 * (a name, say). The rest as for `pyr_reply_value`; what is no exception is a TypeError.
 *
 * Requires: As for `pyr_reply_value`.
 */
pyr_status pyr_reply_raise(struct pyr_reply *reply,
                           const struct pyr_value *exception);

/**
 * Answer by raising an error of the host's own, `_pyrite.HostError` with the `message` (text) and the
 * attribute `payload` (any value, a loan for instance, or NULL for None), by which the host knows it again
 * when it comes back.
 *
 * With `unwind` not 0 it is a `_pyrite.HostUnwind`, which is a `KeyboardInterrupt` and no `Exception`: Python
 * code that catches exceptions lets it pass, `finally` and `with` do their work, and the host goes on with an
 * exit that it began. The rest as for `pyr_reply_value`.
 *
 * Requires: As for `pyr_reply_value`; `message` and `payload` can be read with all that they point to, or are NULL.
 */
pyr_status pyr_reply_fail(struct pyr_reply *reply,
                          const struct pyr_value *message,
                          const struct pyr_value *payload,
                          int32_t unwind);

/**
 * Wait for a question to a host with the flag `PYR_DISPATCH` from a thread that is in none of the host's
 * calls, `milliseconds` at the most, and take it: `request->ticket` is 0 when none came in that time, or
 * `pyr_serve_wake` was called.
 *
 * Whoever takes a question answers it in `request->reply` and gives it back with `pyr_served`; until then
 * the thread that asked waits, for ever if need be. Needs no GIL, nor Python; who holds the GIL keeps others
 * from asking. Returns `PYR_OK` or `PYR_NULL_ARGUMENT`.
 *
 * Requires: `request` is writable, or NULL.
 */
pyr_status pyr_serve(uint32_t milliseconds,
                     struct pyr_request *request);

/**
 * Give the question of `ticket` back: `answered` as a `pyr_ask_function` returns it. Returns `PYR_OK`, or
 * `PYR_INVALID_HANDLE` when no such question is taken.
 */
pyr_status pyr_served(uint64_t ticket,
                      int32_t answered);

/**
 * Have all threads that wait in `pyr_serve` return without a question. Returns `PYR_OK`.
 */
pyr_status pyr_serve_wake(void);

/**
 * Watch the types called `name` (`length` bytes of UTF-8): calls with `PYR_TYPED` or `PYR_TYPED_ITEMS`
 * then give their objects as `PYR_HANDLE` cells whose `aux` is `number`, whatever they would be converted
 * to otherwise. Objects of subclasses are not meant. 0 ends this for the name.
 *
 * A type's name is the qualified one, as Python prints it (`datetime.date`, `__main__.Thing`, `float`), or
 * the dotted way to it in a loaded module (`pandas.DataFrame`); without a dot, one in builtins, else in
 * `__main__`. May be called on any thread at any time, also while Python does not run; the names and
 * numbers outlast `pyr_stop`. Returns `PYR_OK`, `PYR_NULL_ARGUMENT` or `PYR_INVALID_TEXT`.
 *
 * Requires: `name` points to `length` readable bytes, or is NULL.
 */
pyr_status pyr_watch_type(const uint8_t *name,
                          size_t length,
                          uint32_t number);

/**
 * The number of the calling thread for `pyr_interrupt`: never 0, and good until the thread ends.
 */
uint64_t pyr_thread_id(void);

/**
 * Raise KeyboardInterrupt in the Python code that a thread of the host's runs, soon. Any thread may call
 * this.
 *
 * `thread` is what `pyr_thread_id` gave there; 1 is written to `interrupted` when it was in Python, else 0,
 * and nothing happens. Code of the host's that Python called is not Python. Python code may catch the
 * exception; else the call returns `PYR_PYTHON_ERROR`, with the kind `PYR_KIND_KEYBOARD_INTERRUPT`. When the
 * call is over first, that is the end of it. Sleeping and waiting end at once on the thread that started
 * Python, elsewhere they, as long computations in C everywhere, come to their own end first.
 *
 * Returns `PYR_OK`, or `PYR_START_FAILED` when there are not even the means for one thread.
 *
 * Requires: `interrupted` points to a writable number, or is NULL.
 */
pyr_status pyr_interrupt(uint64_t thread,
                         int32_t *interrupted);

/**
 * Have Python code of this thread end when `milliseconds` are over, until `pyr_limit_end` of the id that is
 * written to `limit`.
 *
 * What runs then gets a KeyboardInterrupt, as by `pyr_interrupt`, and the call returns `PYR_TIMED_OUT`; if
 * nothing runs then, or the call is over first, the next call returns that at once. Later calls, which may
 * be needed to clean up, and code that has caught the exception, get a second, and so on. Limits nest; those
 * of a thread that ends are over. Python need not run.
 *
 * Returns `PYR_OK`, `PYR_NULL_ARGUMENT`, `PYR_NOT_RUNNING` in a forked process, or `PYR_START_FAILED` as
 * `pyr_interrupt` does.
 *
 * Requires: `limit` points to a writable number, or is NULL.
 */
pyr_status pyr_limit(uint64_t milliseconds,
                     uint64_t *limit);

/**
 * Take a limit of this thread back. Returns `PYR_OK`, or `PYR_INVALID_HANDLE` when it has no such limit.
 */
pyr_status pyr_limit_end(uint64_t limit);

/**
 * Tell that the Python code that runs on this thread will not go on: its stack is exhausted, and the host,
 * whose fault handler this is, unwinds it.
 *
 * The GIL is let go of, the host's floating-point environment is back, and the next call of this thread has a
 * new Python thread state, without the old one's `threading.local` values. What the frames referred to is not
 * given back. Code of the host's that Python called is given up with the code that called it: it must not
 * return to that. Takes little of the stack.
 *
 * Returns 1, or 0 when this thread is not in Python: then nothing happens.
 */
int32_t pyr_give_up(void);

/**
 * What went wrong in the last failing call of this thread.
 *
 * With `with_traceback` not 0, the formatted traceback is in it, too. The texts live until the next
 * failing call on this thread, and until this function is called again. The exception, which may hold
 * large objects alive, is kept until the next failing call or `pyr_error_clear`; the handle on it, which is
 * given also while Python is stopped, and used when it runs again, is yours to release.
 *
 * Returns `PYR_OK` (also when nothing has failed yet: `error->status` is 0 then) or
 * `PYR_NULL_ARGUMENT`.
 *
 * Requires: `error` points to a writable `pyr_error`, or is NULL.
 */
pyr_status pyr_error_last(struct pyr_error *error,
                          int32_t with_traceback);

/**
 * Forget what went wrong on this thread, and the exception with it.
 */
void pyr_error_clear(void);

/**
 * The formatted traceback of an exception, as Python prints it, as text.
 *
 * `exception` is a handle on it. `flags`: `PYR_AS_UCS4`. Returns `PYR_OK`, or a status for a bad
 * argument.
 *
 * Requires: `out` points to a writable result, or is NULL.
 */
pyr_status pyr_format_exception(pyr_handle exception, uint32_t flags, struct pyr_result *out);

/**
 * Ask for a panic inside the library, to see that it becomes `PYR_PANIC`. For tests.
 */
pyr_status pyr_test_panic(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PYRITE_H */
