#!/usr/bin/env bash
# A long run of everything at once, in one process: tests/soak/run.lisp says what. SOAK_SECONDS (600), SOAK_SEED.
#
#     SOAK_SECONDS=30 tests/soak.sh [sbcl | ecl]
set -uo pipefail
cd "$(dirname "$0")/.."
seconds=${SOAK_SECONDS:-600}
export SOAK_SECONDS=$seconds
export CL_SOURCE_REGISTRY="(:source-registry (:also-exclude \"cl-asdf\") (:directory \"$PWD/lisp/\") (:tree \"/usr/share/common-lisp/source/\") :ignore-inherited-configuration)"
PYRITE_PYTHON=${PYRITE_PYTHON:-$(tests/find-python.sh | head -n 1)}
export PYRITE_PYTHON
case ${1:-sbcl} in
    sbcl) set -- sbcl --noinform --no-sysinit --no-userinit --non-interactive --disable-debugger --load tests/soak/run.lisp ;;
    ecl) set -- ecl --norc --shell tests/soak/run.lisp ;;
    *) sed -n 's/^# \{0,1\}//; 2,4p' "$0" >&2; exit 2 ;;
esac
# What hangs is a failure: the run itself ends in time.
exec timeout --signal=KILL $((seconds + 300)) "$@"
