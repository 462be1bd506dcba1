/*
 * cells.h: a function for each kind of cell, and two for what every example begins and ends with.
 * Nothing here is needed to use libpyrite; it keeps the examples to their subject.
 */
#ifndef CELLS_H
#define CELLS_H

#include <pyrite.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline pyr_value cell(pyr_tag tag, size_t length) {
    pyr_value made;
    memset(&made, 0, sizeof made);
    made.tag = tag;
    made.aux = (uint32_t)length;
    return made;
}

static inline pyr_value cell_none(void) { return cell(PYR_NONE, 0); }

static inline pyr_value cell_bool(int truth) {
    pyr_value made = cell(PYR_BOOL, 0);
    made.of.integer = truth != 0;
    return made;
}

static inline pyr_value cell_int(int64_t integer) {
    pyr_value made = cell(PYR_INT, 0);
    made.of.integer = integer;
    return made;
}

static inline pyr_value cell_float(double real) {
    pyr_value made = cell(PYR_FLOAT, 0);
    made.of.real = real;
    return made;
}

/* For PYR_UTF8, PYR_LATIN1, PYR_BIGINT and PYR_BYTES. */
static inline pyr_value cell_bytes(pyr_tag tag, const void *bytes, size_t length) {
    pyr_value made = cell(tag, length);
    made.of.bytes = (const uint8_t *)bytes;
    return made;
}

static inline pyr_value cell_text(const char *utf8) { return cell_bytes(PYR_UTF8, utf8, strlen(utf8)); }

/* For PYR_LIST and PYR_TUPLE, whose length is in items, and PYR_DICT, whose length is in pairs. */
static inline pyr_value cell_items(pyr_tag tag, const pyr_value *items, size_t length) {
    pyr_value made = cell(tag, length);
    made.of.items = items;
    return made;
}

static inline pyr_value cell_array(const pyr_array *array) {
    pyr_value made = cell(PYR_ARRAY, 0);
    made.of.array = array;
    return made;
}

static inline pyr_value cell_handle(pyr_handle handle) {
    pyr_value made = cell(PYR_HANDLE, 0);
    made.of.handle = handle;
    return made;
}

static inline pyr_value cell_name(pyr_name name) {
    pyr_value made = cell(PYR_NAME, 0);
    made.of.name = name;
    return made;
}

/* Leave the program, with Python's own words, when a call that ought to succeed did not. */
static inline void must(pyr_status status) {
    pyr_error error;
    if (status == PYR_OK) {
        return;
    }
    pyr_error_last(&error, 1);
    fprintf(stderr, "status %u: %.*s: %.*s\n%.*s", (unsigned)status,
            (int)error.type_name_length, (const char *)error.type_name,
            (int)error.message_length, (const char *)error.message,
            (int)error.traceback_length, (const char *)error.traceback);
    exit(1);
}

/* How to start the Python of an executable: without more wishes. */
static inline pyr_start_options options_for(const char *executable) {
    pyr_start_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.executable = (const uint8_t *)executable;
    options.executable_length = strlen(executable);
    return options;
}

/* Start the Python whose executable the command line names. */
static inline void start_python(int argc, char **argv) {
    pyr_start_options options;
    if (argc < 2) {
        fprintf(stderr, "usage: %s PYTHON-EXECUTABLE\n", argv[0]);
        exit(2);
    }
    options = options_for(argv[1]);
    must(pyr_start(&options));
}

#endif
