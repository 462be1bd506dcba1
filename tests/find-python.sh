#!/bin/sh
# Print the python to use and the path of its shared libpython, on a line each.
#
# The python is $PYRITE_PYTHON, or else that of the active venv or conda environment, or of ./.venv,
# or else python3 on PATH.

if [ -n "$PYRITE_PYTHON" ]; then python=$PYRITE_PYTHON
elif [ -n "$VIRTUAL_ENV" ]; then python=$VIRTUAL_ENV/bin/python
elif [ -n "$CONDA_PREFIX" ]; then python=$CONDA_PREFIX/bin/python
elif [ -x ./.venv/bin/python ]; then python=./.venv/bin/python
else python=python3
fi

if ! command -v "$python" >/dev/null 2>&1; then
    echo "find-python: there is no program '$python': set PYRITE_PYTHON to a python" >&2
    exit 1
fi

# Isolated, so that no module of the current folder stands in for the library's own.
exec "$python" -I - <<'PYTHON'
import os
import sys
import sysconfig

variable = sysconfig.get_config_var
version = "%d.%d" % sys.version_info[:2]
abiflags = getattr(sys, "abiflags", "")


def names():
    """The file names a shared libpython of this version may have, the most exact first."""
    for name in (variable("INSTSONAME"), variable("LDLIBRARY")):
        if name and not name.endswith(".a"):
            yield name
    for ending in (".so.1.0", ".so", ".dylib"):
        yield "libpython" + version + abiflags + ending


def folders():
    """Where it may be: what the build says, and where the installation is now if it was moved."""
    library = variable("LIBDIR") or ""
    multiarch = variable("MULTIARCH") or ""
    prefixes = os.path.join(sys.base_prefix, "lib"), os.path.join(sys.base_exec_prefix, "lib")
    for folder in (library,) + prefixes:
        if folder:
            yield folder
            yield os.path.join(folder, multiarch)
    framework = variable("PYTHONFRAMEWORKPREFIX")
    if framework:
        yield framework


def fail(why):
    sys.exit("find-python: %s: %s" % (sys.executable, why))


if sys.version_info < (3, 9):
    fail("Python %s is too old: 3.9 is the oldest that is served" % version)
for folder in folders():
    for name in names():
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            print(sys.executable)
            print(path)
            sys.exit()
if os.path.realpath(sys.base_prefix) == "/usr":
    fail("it has no shared libpython: install the Debian package libpython%s" % version)
fail(
    "it has no shared libpython in %s: use a Python that was built with --enable-shared"
    % (variable("LIBDIR") or sys.base_prefix)
)
PYTHON
