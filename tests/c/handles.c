/* Handles: how long they hold their object, and what they are after that. */
#include "check.h"
#include <pthread.h>

#define MANY 5000

static size_t holds(pyr_handle handle) {
    size_t handle_count = 0, object_count = 0;
    CHECK_OK(pyr_counts(handle, &handle_count, &object_count));
    CHECK(object_count >= 1);
    return handle_count;
}

static size_t references(pyr_handle handle) {
    size_t object_count = 0;
    CHECK_OK(pyr_counts(handle, NULL, &object_count));
    return object_count;
}

/* A new Thing, of whose end `gone` will tell. */
static pyr_handle thing(void) { return handle_on("made()"); }

static void define_things(void) {
    execute("import weakref\n"
            "class Thing: pass\n"
            "watched, gone = [], []\n"
            "def made():\n"
            "    thing = Thing()\n"
            "    watched.append(weakref.ref(thing, gone.append))\n"
            "    return thing\n");
}

static void counting(void) {
    size_t before = live_handles();
    pyr_handle handle = thing(), second;
    pyr_value name = cell_text("kept"), value = cell_handle(handle);
    pyr_result result;
    int32_t same = 0;

    CHECK(live_handles() == before + 1);
    CHECK(holds(handle) == 1 && references(handle) == 1);
    CHECK_OK(pyr_retain(handle));
    CHECK(holds(handle) == 2 && references(handle) == 1 && live_handles() == before + 1);
    CHECK_OK(pyr_release(handle));
    CHECK(holds(handle) == 1);
    CHECK_OK(pyr_set(&name, &value));
    CHECK(references(handle) == 2);

    /* The same object again is another handle. */
    CHECK_OK(pyr_get(&name, 0, &result));
    second = result.value.of.handle;
    CHECK(result.value.tag == PYR_HANDLE && second != handle);
    CHECK(holds(second) == 1 && references(second) == 3 && live_handles() == before + 2);
    CHECK_OK(pyr_is(&value, &result.value, &same));
    CHECK(same == 1);
    CHECK_OK(pyr_release(second));
    execute("del kept");
    CHECK(references(handle) == 1 && is_true("gone == []"));

    CHECK_OK(pyr_release(handle));
    CHECK(is_true("len(gone) == 1"));
    CHECK(live_handles() == before);
}

static void released_too_often(void) {
    size_t before = live_handles(), count = 0;
    pyr_handle handle = thing(), next;
    pyr_result result;
    pyr_value value = cell_handle(handle);
    CHECK_OK(pyr_release(handle));
    CHECK_OK(pyr_release(handle));
    CHECK_OK(pyr_release(handle));
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_retain(handle));
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_counts(handle, &count, NULL));
    CHECK_STATUS(PYR_STALE_HANDLE, pyr_str(&value, 0, &result));
    CHECK(is_true("len(gone) == 2"));

    /* The place in the table is used again, under a name that the old handle does not have. */
    next = thing();
    CHECK(next != handle);
    CHECK_OK(pyr_release(handle));
    CHECK(holds(next) == 1 && is_true("len(gone) == 2"));
    CHECK_OK(pyr_release(next));
    CHECK(live_handles() == before && is_true("len(gone) == 3"));
}

static void *release_all(void *handles) {
    int i, wrong = 0;
    for (i = 0; i < MANY; i++) {
        wrong += pyr_release(((pyr_handle *)handles)[i]) != PYR_OK;
    }
    CHECK(wrong == 0);
    return NULL;
}

/* On a thread that never called Python, as finalizers do. */
static void released_elsewhere(void) {
    static pyr_handle handles[MANY];
    size_t before = live_handles();
    pthread_t thread;
    int i;
    execute("del watched[:], gone[:]");
    for (i = 0; i < MANY; i++) {
        handles[i] = thing();
    }
    CHECK(live_handles() == before + MANY);
    CHECK(pthread_create(&thread, NULL, release_all, handles) == 0);
    pthread_join(thread, NULL);
    CHECK(live_handles() == before);
    CHECK(is_true("len(gone) == 5000"));
}

int main(int argc, char **argv) {
    start_python(argc, argv);
    define_things();
    counting();
    released_too_often();
    released_elsewhere();
    CHECK(live_handles() == 0);
    return finish();
}
