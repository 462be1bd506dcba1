"""What Pyrite does in Python itself: run once, in a module of its own, when Python starts."""

import _thread
import builtins
import gc
import importlib
import os
import sys
import traceback
import types

# Operators, which the host calls as `_pyrite.add` and so on, whatever __main__ has under these names.
from operator import (
    add, and_, contains, eq, floordiv, ge, gt, inv, le, lshift, lt, matmul, mod, mul, ne, neg, not_, or_,
    pos, pow, rshift, sub, truediv, truth, xor,
)

main = sys.modules["__main__"].__dict__


class Character(str):
    """A character of the host language: a str of length 1 that goes back as the character."""

    __slots__ = ()


class Path(os.PathLike):
    """A file's name from the host language, which goes back as such. Python's functions take it for one."""

    __slots__ = ("_name",)

    def __init__(self, name):
        self._name = name

    def __fspath__(self):
        return self._name

    __str__ = __fspath__

    def __repr__(self):
        return "Path(%r)" % self._name

    def __eq__(self, other):
        return self._name == other._name if isinstance(other, Path) else NotImplemented

    def __hash__(self):
        return hash(self._name)


class HostError(Exception):
    """An error of the host language. `payload` is what the host knows it by."""

    payload = None


class HostUnwind(KeyboardInterrupt):
    """Code of the host language is on its way out through Python: it is not to be caught.

    What runs others' functions in a loop, as asyncio does, goes on after any exception but a KeyboardInterrupt.
    """

    payload = None


class InputUnwind(BaseException):
    """The same, from within the host's input: what reads commands, as pdb does, goes on after those, too."""

    def __init__(self, unwind):
        super().__init__(*unwind.args)
        self.payload = unwind.payload


def host_error(message, payload, unwind):
    """The exception that stands for an error of the host's, or for its unwinding."""
    error = HostUnwind(message) if unwind else HostError(message)
    error.payload = payload
    return error


def exception(value):
    """The exception that `raise value` raises."""
    if isinstance(value, type) and issubclass(value, BaseException):
        value = value()
    # Not isinstance, which believes a __class__ that says so.
    if not issubclass(type(value), BaseException):
        raise TypeError("exceptions must derive from BaseException, not %s" % type(value).__name__)
    return value


class Default:
    """The default of a parameter that is no constant: a form of the host language."""

    __slots__ = ("_form",)

    def __init__(self, form):
        self._form = form

    def __repr__(self):
        return self._form


def parameter_name(name, taken):
    """An identifier like `name` that is not `taken`."""
    import keyword
    import re

    name = re.sub(r"\W", "_", name)
    if not name.isidentifier():
        name = "_" + name
    while name in taken or keyword.iskeyword(name):
        name += "_"
    return name


def signature(parameters):
    """The signature of a function of the host: (name, kind, state, default) for each of its parameters.

    The state is 0 without a default, and 2 when that is the text of a form.
    """
    from inspect import Parameter, Signature

    made = {}
    for name, kind, state, default in parameters:
        name = parameter_name(name, made)
        default = (Parameter.empty, default, Default(default))[state]
        made[name] = Parameter(name, tuple(type(Parameter.VAR_POSITIONAL))[kind], default=default)
    return Signature(list(made.values()))


def generator(step):
    """The items of the tuples that `step` returns, up to an empty one."""
    while True:
        item = step()
        if not item:
            return
        yield item[0]


def whole(name):
    """`name`, a module's. Python looks for its frozen modules by what is before a NUL."""
    if "\0" in name:
        raise ModuleNotFoundError("No module named %r" % name, name=name)
    return name


def import_module(name, alias):
    """Bind module `name` in __main__ as `import name [as alias]` does, and return what was bound.

    The key is interned, as a compiled import's is: finding it again is then a matter of identity.
    """
    module = importlib.import_module(whole(name))
    if alias is None:
        alias = name.partition(".")[0]
        module = sys.modules[alias]
    main[sys.intern(alias)] = module
    return module


def normalize(name):
    """`name` as Python has it when it is an identifier in source."""
    import unicodedata

    return unicodedata.normalize("NFKC", name)


def import_function(name, module_name, alias):
    """Bind `name` of a module in __main__ as `from module_name import name [as alias]` does."""
    # With a list of names, submodules among them are imported, too.
    module = __import__(whole(module_name), main, None, [name])
    try:
        value = getattr(module, name)
    except AttributeError:
        value = sys.modules.get(module_name + "." + name)
        if value is None:
            raise ImportError(
                "cannot import name %r from %r" % (name, module_name), name=module_name
            ) from None
    main[sys.intern(alias or name)] = value
    return value


def evaluate(source, names, values):
    """Evaluate `source`, an expression, with `values` bound to `names`.

    They are the parameters of a function round it, so that lambdas and comprehensions see them.
    """
    compile(source, "<pyrite>", "eval")
    function = "lambda %s: (%s\n)" % (", ".join(names), source)
    return eval(compile(function, "<pyrite>", "eval"), main)(*values)


def nested_names(code):
    """The global names that functions and classes defined in `code` refer to."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from constant.co_names
            yield from nested_names(constant)


def execute(source, names, values):
    """Execute `source` in __main__ with `values` bound to `names`.

    They are globals for that long, and longer only where a function that was defined needs them.
    """
    code = compile(source, "<pyrite>", "exec")
    main.update(zip(names, values))
    try:
        exec(code, main)
    finally:
        for name in set(names).difference(nested_names(code)):
            main.pop(name, None)


# What types themselves know, which no metaclass has a part in.
MODULE, NAME, MRO = (type.__dict__[name] for name in ("__module__", "__qualname__", "__mro__"))

# The numbers of the builtin exceptions by their identities: a class's own __eq__ is not asked.
KINDS = {}


def kind_of(cls):
    """The number of the builtin exception that `cls` is, or that is nearest among its bases."""
    return next(KINDS[id(base)] for base in MRO.__get__(cls) if id(base) in KINDS)


def describe(exception):
    """The qualified type name, the message and the kind of `exception`, whatever its methods do."""
    kind = type(exception)
    name, module = NAME.__get__(kind), MODULE.__get__(kind)
    if module not in ("builtins", "__main__"):
        name = "%s.%s" % (module, name)
    try:
        message = str(exception)
    except BaseException as error:
        message = "<its __str__ raised %s>" % type(error).__name__
    return name, message, kind_of(kind)


def type_counts(objects):
    """How many of `objects` there are of each type, by qualified name."""
    counts = {}
    for kind in map(type, objects):
        name = kind.__qualname__
        if kind.__module__ != "builtins":
            name = "%s.%s" % (kind.__module__, name)
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def objects_by_type():
    """How many objects there are that the garbage collector knows, once it has run, by type."""
    gc.collect()
    return type_counts(gc.get_objects())


def format_exception(exception):
    """The traceback of `exception` as Python prints it."""
    try:
        return "".join(
            traceback.format_exception(type(exception), exception, exception.__traceback__)
        )
    except BaseException as error:
        return "<the traceback cannot be shown: %s>" % type(error).__name__


KEPT = frozenset(
    ("__name__", "__doc__", "__package__", "__loader__", "__spec__", "__builtins__", "__annotations__")
)


def located(name):
    """What the dotted `name` leads to in a loaded module; without a dot, in builtins or __main__."""
    module, _, attribute = name.rpartition(".")
    if module:
        return getattr(sys.modules.get(module), "__dict__", {}).get(attribute)
    return vars(builtins).get(name, main.get(name))


def watched_name(kind, names):
    """The one of `names` that means the type `kind`: as it is printed, or a way to it; else None."""
    try:
        module = type.__getattribute__(kind, "__module__")
        printed = type.__getattribute__(kind, "__qualname__")
        if module != "builtins":
            printed = "%s.%s" % (module, printed)
        for name in names:
            if name == printed or located(name) is kind:
                return name
    except Exception:
        pass
    return None


def reset():
    """Empty __main__, and collect what only it held."""
    for name in list(main):
        if name not in KEPT:
            main.pop(name, None)
    main["sys"] = sys
    gc.collect()


def context(manager):
    """A context manager at work: the first item is what it is entered with, and there is no second."""
    with manager as value:
        yield value


enter = next


def leave(context, exception):
    """Leave `context`, with an exception or None; whether it goes no further."""
    if exception is None:
        return next(context, None) is None
    trace = exception.__traceback__
    try:
        context.throw(exception)
    except StopIteration:
        return True
    except BaseException as raised:
        # A generator turns the one exception that it cannot raise into the cause of another.
        if raised is not exception and not (
            isinstance(exception, StopIteration) and raised.__cause__ is exception
        ):
            raise
    exception.__traceback__ = trace
    return False


length = len
type_of = type
is_instance = isinstance


def notes(exception):
    """The notes that were added to `exception`."""
    return [str(note) for note in getattr(exception, "__notes__", None) or ()]


def attributes(thing, methods):
    """The names of `thing`'s attributes: of those that can be called, or of the others."""

    def can_be_called(name):
        try:
            return callable(getattr(thing, name))
        except Exception:
            return False

    return [name for name in dir(thing) if can_be_called(name) == methods]


def named(name):
    """What the dotted `name` means, which may be in a module that is not imported yet."""
    import pydoc

    first, *rest = name.split(".")
    try:
        value = main[first] if first in main else getattr(builtins, first)
        for part in rest:
            value = getattr(value, part)
        return value
    except AttributeError:
        return pydoc.locate(name)


def help_on_topic(word):
    """What help() prints of `word` when it is one of its topics, else None."""
    import io
    import pydoc

    helper = pydoc.Helper(None, io.StringIO())
    lists = ("topics", "keywords", "symbols", "modules")
    if word not in lists and not any(word in table for table in (helper.topics, helper.keywords, helper.symbols)):
        return None
    # A topic's text goes to a pager, whatever the helper's output is.
    pager, pydoc.pager = pydoc.pager, lambda text, title="": helper.output.write(text)
    try:
        helper.help(word)
    finally:
        pydoc.pager = pager
    return helper.output.getvalue()


def is_host_s(thing):
    """Whether `thing` stands for something in the host: by its type itself, not by what attributes or names say."""
    kind = type(thing)
    return globals().get(NAME.__get__(kind)) is kind and kind not in (Character, Path)


def help_on_host_s(thing):
    """As help() has it for a function of Python's, of what stands for a function or an object of the host."""
    import inspect

    text = thing.__doc__ or ""
    if callable(thing):
        text = "%s%s\n%s" % (thing.__name__, inspect.signature(thing), inspect.cleandoc(text))
    return "Help on %r:\n\n%s\n" % (thing, "\n    ".join(text.rstrip().split("\n")))


def help_text(thing):
    """What help() prints of `thing`: an object, a name, or one of help's topics."""
    import pydoc

    if isinstance(thing, str):
        value = named(thing)
        if value is None and thing != "None":
            text = help_on_topic(thing)
            return text or "No Python documentation found for %r.\n" % thing
        thing = value
    if is_host_s(thing):
        return help_on_host_s(thing)
    return pydoc.render_doc(thing, "Help on %s:", renderer=pydoc.plaintext)


def subscript(key):
    """`[key]`, in short, for messages."""
    import reprlib

    try:
        return "[%s]" % reprlib.repr(key)
    except Exception:
        return "[<%s>]" % type(key).__name__


def key_of(mapping, value):
    """`[key]` of the entry of `mapping` whose value is `value` itself."""
    for key, other in list(mapping.items()):
        if other is value:
            return subscript(key)
    return "<a key>"


def bad_key(error, key, place):
    """`error`, which putting `key` into a dict raised, with both told."""
    if type(error) is not TypeError:
        return error
    told = "%s, the key %s of a dict%s" % (error, subscript(key)[1:-1], place)
    return TypeError(told).with_traceback(error.__traceback__)


def equal_key(key, place):
    """The error for a dict in which `key` is twice."""
    return ValueError("there is an equal key already, the key %s of a dict%s" % (subscript(key)[1:-1], place))


def contiguous(array, dtype):
    """`array` in C order, native byte order and without gaps: itself, or a copy; of `dtype` if not None."""
    import numpy

    return numpy.ascontiguousarray(array, dtype=dtype or array.dtype.newbyteorder("="))


def object_array(elements, shape):
    """An array of `shape` of the objects in the list `elements`, which are not looked into."""
    import numpy

    array = numpy.empty(len(elements), dtype=object)
    for index, element in enumerate(elements):
        array[index] = element
    return array.reshape(shape)


def fraction(numerator, denominator):
    """The fraction of two ints."""
    from fractions import Fraction

    return Fraction(numerator, denominator)


def main_thread_lives():
    """Have threading know that the main thread runs, whose state was exchanged for another."""
    threading = sys.modules.get("threading")
    lock = threading and getattr(threading.main_thread(), "_tstate_lock", None)
    if lock:
        lock.acquire(False)


def end(patience):
    """What Python does when it ends, but end: wait for threads, run exit functions, flush."""
    if not adopted:
        end_threads(patience)
        run_exit_functions()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def end_threads(patience):
    """Wait up to `patience` seconds for threads that are no daemons."""
    import threading

    # Before Python 3.13 the main thread's lock is waited for on any other thread, and so are who waits for it.
    lock = getattr(threading.main_thread(), "_tstate_lock", None)
    if lock is not None:
        threading._shutdown_locks.discard(lock)
    # In a thread, since it waits without limit. It first ends those of concurrent.futures.
    waiting = threading.Thread(target=threading._shutdown, daemon=True)
    waiting.start()
    if lock is not None and lock.locked():
        # Not before it has looked whether the main thread runs.
        while waiting.is_alive() and not threading._SHUTTING_DOWN:
            waiting.join(0.001)
        lock.release()
    waiting.join(patience)


def run_exit_functions():
    """Run them all but ours: Python itself goes on."""
    import atexit

    atexit.unregister(finalizing)
    atexit._run_exitfuncs()
    atexit.register(finalizing)


def is_beginning_thread(frame):
    """Whether `frame` is of threading.Thread.start, or called by it."""
    thread = getattr(sys.modules.get("threading"), "Thread", None)
    start = getattr(getattr(thread, "start", None), "__code__", None)
    for _ in range(4):
        if frame is None or start is None:
            return False
        if frame.f_code is start:
            return True
        frame = frame.f_back


# The import system's own, and that of the host's streams.
UNINTERRUPTIBLE = ("<frozen importlib._bootstrap>", "pyrite/streams.py")


def uninterruptible(main):
    """The numbers of the threads where no exception may come now.

    They are in code that takes locks, or would be left half done; or wait for a thread of theirs to begin,
    which has their number until then (up to Python 3.11), and would get what is for them. What is for the thread
    `main` is told otherwise.
    """
    frames = sys._current_frames()
    # Of this thread, it is the caller's.
    frames[_thread.get_ident()] = sys._getframe().f_back
    return [
        thread
        for thread, frame in frames.items()
        if frame is not None
        and (
            frame.f_code.co_filename in UNINTERRUPTIBLE
            or (thread != main and is_beginning_thread(frame))
        )
    ]


def breathe():
    """Nothing, in the course of which Python looks for what it was told."""
    for _ in (1, 2):
        pass


def keep_signals(vital, changed, hooks, masking):
    """Have SIGINT raise KeyboardInterrupt, and nobody take the signals `vital`, which are the host's.

    `changed` is called when SIGINT was taken, `hooks` before a fork, after it in the parent, in the child.
    `masking` knows whether a thread is the host's, which goes on without `vital` blocked, and what it blocks.
    """
    import _signal
    import warnings

    register = _signal.signal

    def warn(what, level):
        warnings.warn("%s: it would take signals from the host, and was not done" % what, RuntimeWarning, level)

    def signal(signalnum, handler, /):
        if signalnum in vital:
            warn("signal.signal(%d)" % signalnum, 4)
            return _signal.getsignal(signalnum)
        try:
            return register(signalnum, handler)
        finally:
            if signalnum == _signal.SIGINT:
                changed()

    set_mask = _signal.pthread_sigmask

    def pthread_sigmask(how, mask, /):
        mask = set(mask)
        if masking.is_host():
            if how != _signal.SIG_UNBLOCK:
                mask.difference_update(vital)
            kept = masking.note(how, list(mask))
            if how == _signal.SIG_UNBLOCK:
                mask.difference_update(kept)
            elif how == _signal.SIG_SETMASK:
                mask.update(kept)
        return set_mask(how, mask)

    pthread_sigmask.__doc__ = set_mask.__doc__
    _signal.pthread_sigmask = pthread_sigmask
    register(_signal.SIGINT, _signal.default_int_handler)
    signal.__doc__ = register.__doc__
    _signal.signal = signal
    faulthandler = sys.modules.get("faulthandler") or importlib.import_module("faulthandler")
    add = faulthandler.register

    def enable(file=sys.stderr, all_threads=True):
        if vital:
            warn("faulthandler.enable()", 3)
        else:
            turn_on(file, all_threads)

    def register_dump(signum, file=sys.stderr, all_threads=True, chain=False):
        if signum in vital:
            warn("faulthandler.register(%d)" % signum, 3)
        else:
            add(signum, file, all_threads, chain)

    turn_on, faulthandler.enable, faulthandler.register = faulthandler.enable, enable, register_dump

    before, in_parent, in_child = hooks

    def release():
        in_child()
        register(_signal.SIGINT, _signal.getsignal(_signal.SIGINT) or _signal.SIG_DFL)
        in_parent()

    # The first to be registered are the nearest to the fork.
    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=release)


# What is called when Python is finalized, and whether that is for somebody else to do.
finalizing, adopted = None, False


def started(kinds, by_other, function):
    """What the host needs to be so: no signal handler of ours in its way, its output not lost.

    `kinds` are the names of the builtin exceptions, also of those that this Python does not have. `function` is
    called when Python is finalized. One that was started `by_other` than us is as that one wants it.
    """
    import atexit

    global finalizing, adopted

    def finalizing():
        try:
            sys._getframe(1)
        except ValueError:
            # No Python code calls this: it is the end.
            function()

    adopted = by_other
    # The first that is registered is the last that is called.
    atexit.register(finalizing)
    for number, name in enumerate(kinds, 1):
        if hasattr(builtins, name):
            KINDS[id(getattr(builtins, name))] = number
    # It asks nobody to stop.
    KINDS[id(HostUnwind)] = KINDS[id(BaseException)]
    main["sys"] = sys
    if adopted:
        return
    faulthandler = sys.modules.get("faulthandler")
    if faulthandler is not None:
        faulthandler.disable()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
