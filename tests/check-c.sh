#!/bin/sh
# Run the C tests under valgrind, and compiled with the address and undefined-behaviour sanitizers,
# with one Python: see tests/find-python.sh for which. Prints a line for each run, and how many passed
# and failed.
#
# Valgrind sees what libpyrite and CPython do to memory, too; the sanitizers see the test program, and
# what the other two do through the C library. Leaks are looked for by valgrind only, and only those of
# memory that the host or libpyrite itself got: CPython keeps a lot until the process ends.

# One run: TOOL PROGRAM PYTHON. The script calls itself for it, so that two can run at a time.
if [ "$1" = --run ]; then
    tool=$2 program=$3 python=$4
    log=target/c/check/$tool-$(basename "$program").log
    # CPython's own allocator would hide its objects from the tools.
    export PYTHONMALLOC=malloc RUST_BACKTRACE=0
    case $tool in
        valgrind)
            PYRITE_TEST_PERCENT=2 timeout -k 5 300 valgrind --quiet --error-exitcode=99 \
                --suppressions=tests/c/valgrind.supp --leak-check=full --show-leak-kinds=definite \
                --errors-for-leak-kinds=definite "target/c/c99/$program" "$python" > "$log" 2>&1
            ;;
        sanitizers)
            PYRITE_TEST_PERCENT=20 ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 \
                timeout -k 5 300 "target/c/asan/$program" "$python" > "$log" 2>&1
            ;;
    esac
    code=$?
    case $code in
        0 | 77) verdict=ok ;;
        124 | 137) verdict="FAILED, timeout" ;;
        *) verdict="FAILED, exit code $code" ;;
    esac
    [ $code -eq 77 ] && verdict=skipped
    printf '%s: %s %s: %s\n' "$verdict" "$tool" "$program" "$(tail -n 1 "$log" | sed 's/^skipped: //')"
    case $verdict in FAILED*) sed 's/^/    /' "$log" ;; esac
    exit
fi

cd "$(dirname "$0")/.." || exit 1

for needed in valgrind nm; do
    if ! command -v $needed > /dev/null; then
        echo "check-c: $needed is not installed" >&2
        exit 1
    fi
done
found=$(sh tests/find-python.sh) || exit 1
python=$(echo "$found" | sed -n 1p)
libpython=$(echo "$found" | sed -n 2p)

if [ ! -e target/release/libpyrite.so ]; then
    echo "check-c: there is no target/release/libpyrite.so: run cargo build --release" >&2
    exit 1
fi
env -u MAKEFLAGS -u MAKELEVEL make -r -s -j2 -f tests/c/build.mk \
    CC="${CC:-cc}" CXX="${CXX:-c++}" LIBPYTHON="$libpython" VARIANTS="c99 asan" || exit 1

# A program without the sanitizers would pass as well.
for source in tests/c/*.c; do
    if ! nm "target/c/asan/${source%.c}" | grep -q __asan_init; then
        echo "check-c: target/c/asan/${source%.c} was compiled without the address sanitizer" >&2
        exit 1
    fi
done

rm -rf target/c/check
mkdir -p target/c/check
results=target/c/check/results
for tool in valgrind sanitizers; do
    for source in tests/c/*.c; do
        printf '%s\0%s\0%s\0' $tool "${source%.c}" "$python"
    done
done | xargs -0 -n 3 -P 2 sh tests/check-c.sh --run | tee $results

passed=$(grep -c '^ok: ' $results)
failed=$(grep -c '^FAILED' $results)
echo "c under valgrind and sanitizers: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
