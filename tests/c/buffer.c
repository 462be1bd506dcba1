/* Python's memory, looked at in place: numpy's, bytes', bytearrays', and what is not memory. */
#include "check.h"

static pyr_status get(const char *expression, uint32_t flags, pyr_buffer *buffer) {
    pyr_value value = cell_handle(handle_on(expression));
    pyr_status status = pyr_buffer_get(&value, flags, buffer);
    pyr_release(value.of.handle);
    return status;
}

static void bytes(void) {
    pyr_buffer buffer;
    CHECK_OK(get("b'abc'", 0, &buffer));
    CHECK(buffer.id != 0 && buffer.length == 3 && buffer.item_size == 1 && buffer.rank == 1);
    CHECK(buffer.dimensions[0] == 3 && buffer.strides[0] == 1 && buffer.reserved == 0);
    CHECK(buffer.element == PYR_UINT8 && buffer.read_only == 1);
    CHECK(same_text("B", buffer.format, buffer.format_length));
    CHECK(memcmp(buffer.data, "abc", 3) == 0);
    CHECK(pyr_buffer_count() == 1);
    CHECK_OK(pyr_buffer_close(buffer.id));
    CHECK(pyr_buffer_count() == 0);
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_buffer_close(buffer.id));
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_buffer_retain(buffer.id));
    CHECK_OK(pyr_buffer_release(buffer.id));
}

static void in_place(void) {
    pyr_buffer buffer;
    size_t i;
    execute("shared = bytearray(5)");
    CHECK_OK(get("shared", PYR_WRITABLE, &buffer));
    for (i = 0; i < 5; i++) {
        ((uint8_t *)buffer.data)[i] = (uint8_t)('a' + i);
    }
    CHECK(is_true("shared == b'abcde'"));
    execute("shared[0] = 0x7A");
    CHECK(((const uint8_t *)buffer.data)[0] == 'z');
    /* It stays as large as it is while somebody looks at it. */
    execute("try:\n    shared.append(1)\nexcept BufferError:\n    refused = True");
    CHECK(is_true("refused"));
    CHECK_OK(pyr_buffer_retain(buffer.id));
    CHECK_OK(pyr_buffer_close(buffer.id));
    execute("del shared");
    CHECK(memcmp(buffer.data, "zbcde", 5) == 0);
    CHECK_OK(pyr_buffer_release(buffer.id));
    CHECK(live_handles() == 0 && pyr_buffer_count() == 0);
}

static void refusals(void) {
    pyr_buffer buffer, before;
    pyr_value value = cell_int(1);
    memset(&buffer, 0x55, sizeof buffer);
    before = buffer;
    CHECK_STATUS(PYR_PYTHON_ERROR, pyr_buffer_get(&value, 0, &buffer));
    CHECK_STATUS(PYR_PYTHON_ERROR, get("b'abc'", PYR_WRITABLE, &buffer));
    CHECK_STATUS(PYR_INVALID_FLAGS, pyr_buffer_get(&value, 2, &buffer));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_buffer_get(NULL, 0, &buffer));
    CHECK_STATUS(PYR_NULL_ARGUMENT, pyr_buffer_get(&value, 0, NULL));
    CHECK(memcmp(&buffer, &before, sizeof buffer) == 0);
    CHECK_STATUS(PYR_INVALID_HANDLE, pyr_buffer_close(0));
    CHECK_STATUS(PYR_INVALID_HANDLE, pyr_buffer_close(UINT64_MAX));
    CHECK_STATUS(PYR_INVALID_HANDLE, pyr_buffer_retain(UINT64_MAX));
    CHECK_OK(pyr_buffer_release(UINT64_MAX));
    CHECK(pyr_buffer_count() == 0);
}

static void arrays(void) {
    pyr_value numpy = cell_text("numpy");
    pyr_buffer buffer;
    if (pyr_import(&numpy, NULL, 0, NULL) != PYR_OK) {
        printf("skipped: no numpy\n");
        return;
    }
    CHECK_OK(get("numpy.arange(6.0).reshape(2, 3)[::-1].T", 0, &buffer));
    CHECK(buffer.rank == 2 && buffer.element == PYR_FLOAT64 && buffer.read_only == 0);
    CHECK(buffer.dimensions[0] == 3 && buffer.dimensions[1] == 2);
    CHECK(buffer.strides[0] == 8 && buffer.strides[1] == -24);
    CHECK(*(const double *)buffer.data == 3.0);
    CHECK(*(const double *)(const void *)((const char *)buffer.data + 2 * buffer.strides[0] + buffer.strides[1]) == 2.0);
    CHECK_OK(pyr_buffer_close(buffer.id));
    CHECK_OK(get("numpy.zeros(2, 'f2')", 0, &buffer));
    CHECK(buffer.element == 0 && buffer.item_size == 2 && same_text("e", buffer.format, buffer.format_length));
    CHECK_OK(pyr_buffer_close(buffer.id));
    CHECK_OK(get("numpy.array(7, 'i1')", 0, &buffer));
    CHECK(buffer.rank == 0 && *(const int8_t *)buffer.data == 7);
    CHECK_OK(pyr_buffer_close(buffer.id));
}

static void many(void) {
    int i;
    pyr_buffer buffer;
    for (i = 0; i < repeated(20000); i++) {
        must(get("b'abc'", 0, &buffer));
        must(i % 2 ? pyr_buffer_close(buffer.id) : pyr_buffer_release(buffer.id));
    }
    CHECK(live_handles() == 0 && pyr_buffer_count() == 0);
}

static void stopped(int argc, char **argv) {
    pyr_buffer buffer;
    CHECK_OK(get("bytearray(b'abc')", 0, &buffer));
    CHECK_OK(pyr_stop());
    CHECK(memcmp(buffer.data, "abc", 3) == 0);
    CHECK_OK(pyr_buffer_close(buffer.id));
    CHECK(pyr_buffer_count() == 1);
    start_python(argc, argv);
    CHECK(live_handles() == 0 && pyr_buffer_count() == 0);
}

int main(int argc, char **argv) {
    CHECK(pyr_buffer_count() == 0);
    start_python(argc, argv);
    bytes();
    in_place();
    refusals();
    arrays();
    many();
    stopped(argc, argv);
    return finish();
}
