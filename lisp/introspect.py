"""What defpyfun and defpymodule ask of Python: names, kinds, signatures, documentation.

Run in a module of its own at the first question. Each question is one call, whose answer is made of
tuples, lists and plain values; what is not there is False.
"""

import contextlib
import importlib
import inspect
import io
import math
import pkgutil
import sys
import types
import warnings

# Submodules of these names are no part of a package's interface.
NOT_FOR_USE = frozenset(("__main__", "conftest", "setup", "test", "tests"))

# What is known of a parameter's default.
NO_DEFAULT, DEFAULT, UNKNOWN_DEFAULT = range(3)


def is_a(value, kind):
    """isinstance, which does not ask `value`."""
    return issubclass(type(value), kind)


@contextlib.contextmanager
def quiet():
    """Without warnings, and what modules print while they are imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield


def is_literal(value, depth=4):
    """Whether `value` can stand in a program of the host's."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return True
    if kind is float:
        return math.isfinite(value)
    return (
        kind in (tuple, list) and depth > 0 and all(is_literal(item, depth - 1) for item in value)
    )


def parameter(name, kind, default=inspect.Parameter.empty):
    """A parameter as it is handed over: name, kind, what is known of the default, the default."""
    if default is inspect.Parameter.empty:
        return name, int(kind), NO_DEFAULT, False
    if is_literal(default):
        return name, int(kind), DEFAULT, default
    return name, int(kind), UNKNOWN_DEFAULT, False


def ufunc_parameters(ufunc):
    """Those that every ufunc has, in any version of numpy."""
    inputs = ["x"] if ufunc.nin == 1 else ["x%d" % (i + 1) for i in range(ufunc.nin)]
    options = {"out": None}
    if ufunc.signature is None:
        options["where"] = True
    else:
        options.update(axes=NotImplemented, axis=NotImplemented, keepdims=False)
    options.update(casting="same_kind", order="K", dtype=None, subok=True)
    return [parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in inputs] + [
        parameter(name, inspect.Parameter.KEYWORD_ONLY, default) for name, default in options.items()
    ]


def parameters(function):
    """The parameters of `function`; False when it has no signature."""
    numpy = sys.modules.get("numpy")
    try:
        if numpy is not None and is_a(function, numpy.ufunc):
            return ufunc_parameters(function)
        return [
            parameter(p.name, p.kind, p.default)
            for p in inspect.signature(function).parameters.values()
        ]
    except Exception:
        return False


def documentation(function):
    """The documentation of `function`, or False."""
    try:
        text = function.__doc__
        if not isinstance(text, str):
            return False
        return inspect.cleandoc(text).encode("utf-8", "replace").decode("utf-8")
    except Exception:
        return False


def description(function):
    """What there is to know about `function`."""
    return parameters(function), documentation(function)


def version(module):
    """The version of the package that `module` is in; Python's when it has none."""
    for name in (module.__name__, module.__name__.partition(".")[0]):
        try:
            found = getattr(sys.modules.get(name), "__version__", None)
        except Exception:  # A module may have a __getattr__ that raises anything.
            continue
        if isinstance(found, str):
            return found
    return sys.version.partition(" ")[0]


def version_of(name):
    """The version of the module `name`."""
    with quiet():
        return version(importlib.import_module(name))


def attributes(value, parts):
    for part in parts:
        value = getattr(value, part)
    return value


def imported(parts):
    """The module that the longest beginning of `parts` names; how many of them that are."""
    for count in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:count])
        try:
            return importlib.import_module(name), count
        except ModuleNotFoundError as error:
            # That of a module which it imports is another matter.
            if error.name is None or not (name + ".").startswith(error.name + "."):
                raise
    raise NameError("name '%s' is not defined" % parts[0])


def find(name):
    """The value of the dotted `name`, and the name that it is called by for good: if it is found in a
    module, that does not depend on __main__."""
    parts = name.split(".")
    # Where names are the host's, whatever module calls itself so.
    main = sys.modules["_pyrite"].main
    builtins = sys.modules["builtins"].__dict__
    if parts[0] in main or parts[0] in builtins:
        value, count = main.get(parts[0], builtins.get(parts[0])), 1
    else:
        value, count = imported(parts)
    module = None
    while is_a(value, types.ModuleType):
        module, rest = value, parts[count:]
        if not rest:
            break
        value = getattr(value, rest[0])
        count += 1
    if module is None or sys.modules.get(module.__name__) is not module:
        return attributes(value, parts[count:]), name
    return attributes(module, rest), "%s:%s" % (module.__name__, ".".join(rest))


def function(name, module_name):
    """What is called as `name` of the module `module_name`, or of __main__ when that is False: the name
    to call it by, and its description."""
    with quiet():
        if not all(part.isidentifier() for part in name.split(".")):
            raise ValueError("%r is not the name of a function" % name)
        if module_name:
            value = attributes(importlib.import_module(module_name), name.split("."))
            entry = "%s:%s" % (module_name, name)
        else:
            value, entry = find(name)
        if not callable(value):
            raise TypeError("%s is not callable: it is of type %s" % (name, type(value).__name__))
        return (entry,) + description(value)


class Survey:
    """The public names of modules. `callables` has one description for each object, however many names
    it has; `skipped` says which modules could not be imported, and why."""

    def __init__(self, strict):
        self.strict = strict
        self.modules = []
        self.callables = []
        self.skipped = []
        self._visited = set()
        # The objects themselves, too: an id is one object's only as long as it lives.
        self._indices = {}

    def index(self, thing):
        """The index of the description of `thing`."""
        if id(thing) not in self._indices:
            self._indices[id(thing)] = len(self.callables), thing
            self.callables.append(description(thing))
        return self._indices[id(thing)][0]

    def member(self, module, name):
        """Name, kind, index of the description. Kind and index are False for what is no value."""
        try:
            value = getattr(module, name)
            if is_a(value, types.ModuleType):
                return name, False, False
            if is_a(value, type):
                return name, "class", self.index(value)
            if callable(value):
                return name, "function", self.index(value)
            return name, "value", False
        except Exception:
            if self.strict:
                raise
            return name, False, False

    def module(self, name, submodules):
        """Add the module `name`, which is imported, and its `submodules`."""
        module = sys.modules[name]
        self._visited.add(name)
        # A package may import its submodules when they are asked for: those are not wanted.
        lazy = submodules_of(module, True).difference(vars(module))
        members = [
            self.member(module, member) for member in public_names(module) if member not in lazy
        ]
        self.modules.append((name, [member for member in members if member[1]]))
        if submodules is True or submodules == "hidden":
            for submodule in sorted(submodules_of(module, submodules == "hidden")):
                self.submodule(name, submodule, submodules, False)
        elif submodules:
            for submodule, rest in submodules:
                self.submodule(name, submodule, rest, True)

    def submodule(self, name, submodule, submodules, wanted):
        """Add a submodule of `name`. When it was `wanted` by name, it is an error if there is none."""
        full = "%s.%s" % (name, submodule)
        if full in self._visited:
            return
        try:
            importlib.import_module(full)
        except (Exception, SystemExit) as error:
            if self.strict or (wanted and getattr(error, "name", None) == full):
                raise
            self.skipped.append((full, "%s: %s" % (type(error).__name__, error)))
        else:
            self.module(full, submodules)


def public_names(module):
    """The names of `module` that are for use, sorted."""
    try:
        names = dir(module)
    except Exception:
        names = list(vars(module))
    try:
        listed = list(getattr(module, "__all__", ()))
    except Exception:
        listed = []
    names = [name for name in names if isinstance(name, str) and not name.startswith("_")]
    return sorted(
        set(name for name in names + listed if isinstance(name, str) and name.isidentifier())
    )


def submodules_of(module, hidden):
    """The names of the submodules that `module` has, imported or not."""
    try:
        path = list(getattr(module, "__path__", None) or ())
    except Exception:
        path = []
    names = set(info.name for info in pkgutil.iter_modules(path))
    prefix = module.__name__ + "."
    names.update(
        name[len(prefix) :]
        for name, value in list(sys.modules.items())
        if name.startswith(prefix) and is_a(value, types.ModuleType)
    )
    return set(
        name
        for name in names
        if name.isidentifier() and name not in NOT_FOR_USE and (hidden or not name.startswith("_"))
    )


def survey(name, submodules, strict):
    """The module `name`: its version, its modules, the descriptions of what can be called in them, and
    the submodules that could not be imported."""
    with quiet():
        importlib.import_module(name)
        result = Survey(strict)
        result.module(name, submodules)
        return version(sys.modules[name]), result.modules, result.callables, result.skipped
