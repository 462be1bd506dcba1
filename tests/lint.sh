#!/usr/bin/env bash
# Compile all of Lisp from scratch, on every Lisp that is here, and fail on any warning.
set -uo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# lint LISP COMMAND...: its exit code, 0 when there is nothing to say.
lint() {
    local lisp=$1
    shift
    if ! command -v "$lisp" >/dev/null; then
        echo "lint $lisp: not here, skipped"
        return 0
    fi
    export PYRITE_LINT_FASLS=$folder/$lisp
    mkdir "$PYRITE_LINT_FASLS"
    timeout --kill-after=10 600 "$@" </dev/null >"$folder/output" 2>&1
    if [ $? -ne 22 ]; then
        cat "$folder/output"
        echo "lint $lisp: failed"
        return 1
    fi
    tail -n 1 "$folder/output"
}

failed=0
lint sbcl sbcl --noinform --no-sysinit --no-userinit --disable-debugger --load tests/lint.lisp || failed=1
lint ecl ecl --norc --shell tests/lint.lisp || failed=1
lint ccl ccl --no-init --batch --load tests/lint.lisp || failed=1
exit $failed
