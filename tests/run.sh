#!/usr/bin/env bash
# Run the tests: Rust's, C's, and each suite of Lisp's in a process of its own, in every Lisp that is here.
#
#     tests/run.sh                              everything
#     tests/run.sh rust | c                     one part
#     tests/run.sh sbcl | ecl | ccl [SUITE...]  one Lisp, all its suites or some
#
# Shows the output of what fails, and once more at the end, where logs are read first. A crash, a hang, and what
# should have run and did not, are failures. The last line is the sum; the exit code is 0 only when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."

# As the Makefile has it, for the programs that are not tests themselves.
registry="(:source-registry (:also-exclude \"cl-asdf\") (:directory \"$PWD/lisp/\") (:tree \"/usr/share/common-lisp/source/\") :ignore-inherited-configuration)"
python=$(tests/find-python.sh | head -n 1)
passed=0
failed=0
output=$(mktemp)
# What failed, with the end of its output. The Lisps write to it at once.
failures=$(mktemp)
trap 'rm -f "$output" "$failures"' EXIT

# limited SECONDS COMMAND...: run it with a time limit and keep its output.
limited() {
    local seconds=$1
    shift
    timeout --kill-after=10 "$seconds" "$@" </dev/null >"$output" 2>&1
}

# explain CODE: what an exit code means, in words.
explain() {
    case $1 in
        0) echo "ended as if nothing had been tested" ;;
        124 | 137) echo "did not end in time" ;;
        12[89] | 1[3-9][0-9]) echo "ended by signal $(($1 - 128))" ;;
        *) echo "ended with exit code $1" ;;
    esac
}

# fault NAME WHY: one failure, shown with the end of the output.
fault() {
    failed=$((failed + 1))
    show 60
    printf '%s: %s\n' "$1" "$2"
    record "$1: $2"
}

# show LINES: the end of the output, without the tests that passed.
show() {
    grep -avE '^test .* ok$' "$output" | tail -n "$1" | sed 's/^/    /'
}

# record WHAT: keep what failed for the end.
record() {
    { echo "$1" && show 40; } >>"$failures"
}

# judge NAME CODE EXPECTED GOOD BAD [SKIPPED]: add to the sums; show the output when there is something wrong.
judge() {
    local name=$1 code=$2 expected=$3 good=$4 bad=$5 skipped=${6:-0}
    passed=$((passed + good)) failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        show 400
        record "$name: $bad failed"
    elif [ "$code" -ne "$expected" ]; then
        fault "$name" "$(explain "$code")"
        bad=1
    elif [ $((good + skipped)) -eq 0 ]; then
        fault "$name" "nothing ran"
        bad=1
    fi
    printf '%s: %d passed, %d failed' "$name" "$good" "$bad"
}

# counts PATTERN: the sums of the two numbers that PATTERN finds in the lines of the output.
counts() {
    sed -nE "s/^$1.*/\1 \2/p" "$output" | awk '{ good += $1; bad += $2 } END { print good + 0, bad + 0 }'
}

run_rust() {
    limited 900 cargo test --no-fail-fast
    # shellcheck disable=SC2046 # two numbers are two words
    judge rust $? 0 $(counts 'test result: .* ([0-9]+) passed; ([0-9]+) failed')
    echo
}

run_c() {
    limited 300 tests/run-c.sh
    # shellcheck disable=SC2046
    judge c $? 0 $(counts 'c: ([0-9]+) passed, ([0-9]+) failed')
    echo
}

# start_lisp LISP SECONDS [SUITE]: run one suite, or only compile.
start_lisp() {
    local lisp=$1 seconds=$2
    export PYRITE_SUITE=${3:-}
    case $lisp in
        sbcl) limited "$seconds" sbcl --noinform --no-sysinit --no-userinit --disable-debugger --load tests/run.lisp ;;
        ecl) limited "$seconds" ecl --norc --shell tests/run.lisp ;;
        ccl) limited "$seconds" ccl --no-init --batch --load tests/run.lisp ;;
    esac
}

run_suite() {
    local lisp=$1 suite=$2 seconds=300 begun=$SECONDS skipped
    [ "$lisp" != sbcl ] || seconds=120
    start_lisp "$lisp" $seconds "$suite"
    local code=$?
    skipped=$(sed -nE 's/^lisp .* ([0-9]+) skipped$/\1/p' "$output")
    # shellcheck disable=SC2046
    judge "$lisp $suite" $code 22 $(counts 'lisp .*: ([0-9]+) passed, ([0-9]+) failed') "${skipped:-0}"
    [ $((SECONDS - begun)) -lt 10 ] || printf ' in %d s' $((SECONDS - begun))
    if [ "${skipped:-0}" -gt 0 ]; then
        printf ', %d skipped:\n' "$skipped"
        sed -n '/Skip Details/,/^lisp /{/Skip Details/d;/^lisp /d;/^ *$/d;p}' "$output"
    else
        echo
    fi
}

# Every file but the one of the package is a suite of the same name; those of faults have it before theirs.
suites() {
    local file
    for file in tests/lisp/*.lisp tests/faults/*.lisp; do
        file=${file#tests/}
        file=${file#lisp/}
        echo "${file%.lisp}"
    done | grep -vx package
}

run_lisp() {
    local lisp=$1 suite
    shift
    if ! command -v "$lisp" >/dev/null; then
        echo "$lisp: not here, skipped"
        return
    fi
    start_lisp "$lisp" 600
    local code=$?
    if [ $code -ne 22 ]; then
        fault "$lisp" "the tests cannot be compiled and loaded: $(explain $code)"
        return
    fi
    if [ $# -eq 0 ]; then
        run_examples "$lisp"
        set -- $(suites)
    fi
    for suite in "$@"; do
        run_suite "$lisp" "$suite"
    done
}

# Several Lisps at once; what each says comes together.
run_lisps() {
    local folder lisp jobs=() good bad
    folder=$(mktemp -d)
    for lisp in "$@"; do
        (
            output=$folder/$lisp.output passed=0 failed=0
            run_lisp "$lisp"
            echo "$passed $failed" >"$folder/$lisp.sums"
        ) >"$folder/$lisp.log" 2>&1 &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    for lisp in "$@"; do
        cat "$folder/$lisp.log"
        # What did not come to its end is a failure.
        read -r good bad <"$folder/$lisp.sums" || { good=0 bad=1; }
        passed=$((passed + good)) failed=$((failed + bad))
    done
    rm -rf "$folder"
}

# Each program in examples/lisp: one test, passed when it ends with code 0. What it writes is thrown away.
run_examples() {
    local lisp=$1 file folder root=$PWD good
    for file in "$root"/examples/lisp/*.lisp; do
        folder=$(mktemp -d)
        # The Python that ./.venv means is this checkout's, wherever the program runs.
        example() {
            cd "$folder" && PYRITE_PYTHON=${PYRITE_PYTHON:-$python} CL_SOURCE_REGISTRY=$registry limited 200 "$@"
        }
        case $lisp in
            sbcl) (example sbcl --noinform --no-sysinit --no-userinit --non-interactive --disable-debugger --load "$file") ;;
            ecl) (example ecl --norc --shell "$file") ;;
            ccl) (example ccl --no-init --batch --load "$file" --eval '(quit)') ;;
        esac
        local code=$?
        good=$((code == 0))
        judge "$lisp $(basename "$file")" $code 0 "$good" 0
        echo
        rm -rf "$folder"
    done
}

part=${1:-all}
[ $# -eq 0 ] || shift
case $part in
    all)
        run_rust
        run_c
        run_lisps sbcl ecl ccl
        ;;
    rust | c) "run_$part" ;;
    sbcl | ecl | ccl) run_lisp "$part" "$@" ;;
    *)
        sed -n 's/^# \{0,1\}//; 3,7p' "$0" >&2
        exit 2
        ;;
esac
cat "$failures"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
