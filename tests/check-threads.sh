#!/bin/sh
# Run the C tests that have threads, and libpyrite, under ThreadSanitizer, with one Python: see
# tests/find-python.sh for which. Prints a line for each program, and how many passed and failed.
#
# Needs clang, and a nightly Rust with the sources of its library, which is compiled for this, too, since its locks
# are what threads wait for. CPython is as it is: its locks, the GIL among them, are the system's, which the
# sanitizer knows; what it does within itself is not looked at.

cd "$(dirname "$0")/.." || exit 1

sysroot=$(rustc +nightly --print sysroot 2> /dev/null)
if [ ! -d "$sysroot/lib/rustlib/src" ]; then
    echo "check-threads: needs: rustup toolchain install nightly --component rust-src" >&2
    exit 1
fi
if ! command -v clang > /dev/null; then
    echo "check-threads: clang is not installed" >&2
    exit 1
fi
found=$(sh tests/find-python.sh) || exit 1
python=$(echo "$found" | sed -n 1p)
libpython=$(echo "$found" | sed -n 2p)

target=$(rustc +nightly --print host-tuple)
folder=target/threads
RUSTFLAGS="-Zsanitizer=thread -g" CARGO_TARGET_DIR=$folder \
    cargo +nightly build --quiet --release -Zbuild-std --target "$target" || exit 1
runtime=$sysroot/lib/rustlib/$target/lib/librustc-nightly_rt.tsan.a
ln -sf "$target/release/libpyrite.so" $folder/libpyrite.so.0
echo "race:libpython" > $folder/suppressions

passed=0 failed=0
for source in $(grep -l pthread tests/c/*.c); do
    name=$(basename "$source" .c)
    # Where memory is laid out at random, the sanitizer may find no room for its own.
    if clang -std=c99 -O1 -g -fsanitize=thread -Iinclude -Iexamples/c -Itests/c -c -o "$folder/$name.o" "$source" &&
        clang -o "$folder/$name" "$folder/$name.o" -Wl,--whole-archive "$runtime" -Wl,--no-whole-archive \
            -Wl,--export-dynamic "$folder/libpyrite.so.0" "$libpython" -Wl,-rpath,"$PWD/$folder" \
            -Wl,-rpath,"$(dirname "$libpython")" -lpthread -ldl -lrt -lm -lgcc_s &&
        TSAN_OPTIONS="suppressions=$folder/suppressions" PYRITE_TEST_PERCENT="${PYRITE_TEST_PERCENT:-20}" \
            timeout -k 5 300 setarch -R "$folder/$name" "$python" > "$folder/$name.log" 2>&1; then
        passed=$((passed + 1))
        echo "ok: $name: $(tail -n 1 "$folder/$name.log")"
    else
        failed=$((failed + 1))
        echo "FAILED: $name"
        sed 's/^/    /' "$folder/$name.log"
    fi
done
echo "c under ThreadSanitizer: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
