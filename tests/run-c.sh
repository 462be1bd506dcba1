#!/bin/sh
# Compile the C examples and tests, as C and as C++, and run them all with one Python: see
# tests/find-python.sh for which. Prints a line for each program, and how many passed and failed.

cd "$(dirname "$0")/.." || exit 1

found=$(sh tests/find-python.sh) || exit 1
python=$(echo "$found" | sed -n 1p)
libpython=$(echo "$found" | sed -n 2p)

if [ ! -e target/release/libpyrite.so ]; then
    echo "run-c: there is no target/release/libpyrite.so: run cargo build --release" >&2
    exit 1
fi
# Not a part of the make that may have called us: it has its own two jobs. What does not compile is
# told by its absence, below.
env -u MAKEFLAGS -u MAKELEVEL make -r -s -k -j2 -f tests/c/build.mk \
    CC="${CC:-cc}" CXX="${CXX:-c++}" LIBPYTHON="$libpython" VARIANTS="c99 cxx11"

passed=0 failed=0
output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT

# Run one program and tell what came of it in a line; when it failed, all that it printed follows.
run() {
    : > "$output"
    if [ -x "$1" ]; then
        timeout -k 5 120 "$1" "$python" > "$output" 2>&1
        code=$?
    else
        code=none
    fi
    case $code in
        0) verdict=ok ;;
        77) verdict=skipped ;;
        none) verdict="FAILED, does not compile" ;;
        124 | 137) verdict="FAILED, timeout" ;;
        *) verdict="FAILED, exit code $code" ;;
    esac
    last=
    case $verdict:$1 in ok:*/tests/* | skipped:*) last=": $(tail -n 1 "$output" | sed 's/^skipped: //')" ;; esac
    echo "$verdict: ${1#target/c/}$last"
    case $verdict in
        ok) passed=$((passed + 1)) ;;
        FAILED*)
            failed=$((failed + 1))
            sed 's/^/    /' "$output"
            ;;
    esac
}

for variant in c99 cxx11; do
    for source in examples/c/*.c tests/c/*.c; do
        run "target/c/$variant/${source%.c}"
    done
done
echo "c: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
