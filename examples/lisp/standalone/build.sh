#!/bin/sh
# Make the program of summary.lisp in the folder $1, with libpyrite beside it: both can be moved together.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cp "${PYRITE_LIBRARY:-$here/../../../target/release/libpyrite.so}" "$1/libpyrite.so.0"
sbcl --noinform --no-userinit --disable-debugger --load "$here/summary.lisp" \
     --eval "(summary:build \"$1/summary\")" </dev/null
