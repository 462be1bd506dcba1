"""sys.stdin, sys.stdout and sys.stderr on streams of the host: run in the module _pyrite_streams.

Text goes both ways by calls of one function of the host's, which knows which of its streams a thread means.
Where that cannot be asked, in a child of this process for instance, the streams that Python made are used.
"""

import _thread
import codecs
import io
import operator
import os
import sys
import time

from _pyrite import HostError, HostUnwind, InputUnwind, Writer

# What the host is asked to do, with the number of a stream: 0 for sys.stdin, 1 and 2 for the others.
WRITE, FINISH, INTERACTIVE, READ, WRITE_CAPTURED, MOVE = range(6)

NAMES = ("<stdin>", "<stdout>", "<stderr>")
originals = (sys.stdin, sys.stdout, sys.stderr)

# The function of the host; None when there is none to be asked.
host = None
# What is written while Python starts, numbers and texts; None when it is ready.
held = None
# The only thread whose text that is; None when it is that of all.
starter = None
# The same when Python is ready, until it is written.
kept = []
# How many seconds others wait for the host to be connected after Python's first start.
PATIENCE = 10


def is_starter():
    return held is not None and starter in (None, _thread.get_ident())


def await_host():
    """The function of the host, for which all but the starter wait when Python runs: their text is for streams
    that the host knows by the thread."""
    end = time.monotonic() + PATIENCE
    while host is None and held is not None and not is_starter() and time.monotonic() < end:
        time.sleep(0.001)
    return host


def ask(operation, number, *arguments):
    """The host's answer. A Lisp error is an OSError, as of any file."""
    function = await_host() if host is None else host
    if function is None:
        return None
    try:
        return function(operation, number, *arguments)
    except HostError as error:
        raise OSError("%s: %s" % (NAMES[number], error)) from error
    except HostUnwind as unwind:
        if operation != READ:
            raise
        raise InputUnwind(unwind) from None


def emit(number, text):
    """Write `text` to the host's stream, or to the original if the host cannot: that has no answer, or is
    in the middle of writing to the stream."""
    if number in redirections:
        drain(number)
    texts = held
    if texts is not None and is_starter():
        texts.append((number, text))
    elif not ask(WRITE, number, text):
        stream = originals[number]
        if stream is not None:
            stream.write(text)
            stream.flush()


class Ending:
    """In a thread's own storage, it sees the thread's end."""

    __slots__ = ()

    def __del__(self):
        Writer.flush()


local = _thread._local()


def watch():
    local.ending = Ending()


class Stream(io.TextIOBase):
    """What the three have in common. The host closes them, not Python."""

    encoding = "utf-8"
    errors = "replace"
    newlines = None

    def __init__(self, number):
        self._number = number
        self.name = NAMES[number]

    def isatty(self):
        answer = ask(INTERACTIVE, self._number)
        if answer is None:
            original = originals[self._number]
            return original is not None and original.isatty()
        return answer

    def close(self):
        self.flush()

    def reconfigure(self, **options):
        """Nothing: text is passed as it is, and the host's stream has its own encoding."""
        self.flush()


class Output(Stream):
    mode = "w"
    line_buffering = True
    write_through = False

    def __init__(self, number):
        super().__init__(number)
        self.write = Writer(number, emit, watch).write
        self.buffer = OutputBytes(self)

    def writable(self):
        return True

    def flush(self):
        Writer.flush()
        ask(FINISH, self._number)

    def fileno(self):
        original = originals[self._number]
        return super().fileno() if original is None else original.fileno()


class OutputBytes(io.BufferedIOBase):
    """sys.stdout.buffer: bytes that are text in UTF-8. What is not, is replaced."""

    def __init__(self, text):
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.name = text.name
        self.mode = "wb"

    def writable(self):
        return True

    def write(self, data):
        with memoryview(data) as view:
            self._text.write(self._decoder.decode(view.tobytes()))
            return view.nbytes

    def finish(self):
        """Write the beginning of a character of which the rest did not come."""
        self._text.write(self._decoder.decode(b"", True))

    def flush(self):
        self._text.flush()

    def close(self):
        self.flush()

    def fileno(self):
        return self._text.fileno()

    def isatty(self):
        return self._text.isatty()


class Input(Stream):
    # It has no fileno(): with that of a terminal, input() would read there and not ask the host.
    mode = "r"
    line_buffering = False

    def __init__(self, number):
        super().__init__(number)
        self.buffer = InputBytes(self)

    def readable(self):
        return True

    def _read(self, size, line):
        size = -1 if size is None else operator.index(size)
        text = ask(READ, self._number, size, line)
        if text is None:
            original = originals[self._number]
            text = "" if original is None else (original.readline if line else original.read)(size)
        return text

    def read(self, size=-1):
        return self._read(size, False)

    def readline(self, size=-1):
        return self._read(size, True)


class InputBytes(io.BufferedIOBase):
    """sys.stdin.buffer: the host's characters in UTF-8."""

    def __init__(self, text):
        self._text = text
        self._rest = b""
        self.name = text.name
        self.mode = "rb"

    def readable(self):
        return True

    def _take(self, size):
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _more(self, text):
        self._rest += text.encode("utf-8", "surrogateescape")
        return bool(text)

    def read(self, size=-1):
        if size is None or size < 0:
            self._more(self._text.read())
            size = len(self._rest)
        while len(self._rest) < size and self._more(self._text.read(size - len(self._rest))):
            pass
        return self._take(size)

    read1 = read

    def readline(self, size=-1):
        if b"\n" not in self._rest:
            self._more(self._text.readline())
        end = self._rest.find(b"\n") + 1 or len(self._rest)
        return self._take(end if size is None or size < 0 else min(end, size))

    def close(self):
        pass

    def isatty(self):
        return self._text.isatty()


class Redirection:
    """What is written to a file descriptor goes to a file. The host's own stream keeps the old one."""

    def __init__(self, number):
        Writer.flush_c()
        self._number = number
        self._place = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.captures = 1
        # Fails when there is no such descriptor.
        self._saved = os.dup(number)
        try:
            self._file = temporary_file()
        except BaseException:
            os.close(self._saved)
            raise
        try:
            os.dup2(self._file, number)
            ask(MOVE, number, self._saved)
        except BaseException:
            self.undo()
            raise

    def read(self, final=False):
        """What was written since this was called last."""
        Writer.flush_c()
        text = []
        while True:
            data = os.pread(self._file, 1 << 20, self._place)
            self._place += len(data)
            text.append(self._decoder.decode(data, final and not data))
            if not data:
                return "".join(text)

    def undo(self):
        """Put the descriptor back; what was written last."""
        Writer.flush_c()
        os.dup2(self._saved, self._number)
        try:
            ask(MOVE, self._number, self._number)
            return self.read(True)
        finally:
            os.close(self._saved)
            os.close(self._file)


def temporary_file():
    """The descriptor of a file without a name. Each write to it appends, whoever else writes."""
    import fcntl

    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("pyrite")
    else:
        import tempfile

        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return descriptor


# By the numbers of the descriptors. One thread at a time: who waits for it does not hold the GIL.
redirections = {}
redirecting = _thread.RLock()


def drain(number):
    """Give what was written to the descriptor to the host, for the newest capture."""
    with redirecting:
        if number in redirections:
            pass_on(number, redirections[number].read())


def pass_on(number, text):
    if text:
        ask(WRITE_CAPTURED, number, text)


def begin_capture(number):
    """Have what is written to the descriptor passed on, too."""
    with redirecting:
        if number in redirections:
            redirections[number].captures += 1
        else:
            redirections[number] = Redirection(number)


def end_capture(number):
    """Undo one begin_capture()."""
    with redirecting:
        redirection = redirections[number]
        redirection.captures -= 1
        if redirection.captures:
            drain(number)
        else:
            del redirections[number]
            pass_on(number, redirection.undo())


streams = (Input(0), Output(1), Output(2))


def install():
    """Make these streams Python's, also for who goes back to sys.__stdout__."""
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = streams


def initialize(code, main):
    """Execute `code` in `main` while no call of the host's enters. What it writes is kept, at the first start
    on other threads, too."""
    global held, starter
    install()
    here = _thread.get_ident()
    # What another start was stopped with waits still.
    held, starter = held or [], None if host is None else here
    try:
        exec(compile(code, "<pyrite>", "exec"), main)
        starter = here
        Writer.flush()
    except BaseException:
        use(host)
        write_kept()
        raise
    if host is not None:
        use(host)


def use(function):
    """Ask `function` from now on. What was kept waits for write_kept()."""
    global host, held, kept
    host, held, kept = function, None, kept + (held or [])


def connect(function):
    """Have Python write to and read from the host by `function`."""
    install()
    use(function)


def write_kept():
    """Write what was kept for the host."""
    global kept
    texts, kept = kept, []
    for number, text in texts:
        emit(number, text)


def flush_own():
    """Write what waits of this thread. Other threads' is for streams that the host knows by the thread."""
    for stream in streams[1:]:
        stream.buffer.finish()
    Writer.flush()


def flush():
    """Write all that waits, of all threads."""
    flush_own()
    Writer.flush_all()


def disconnect():
    """Write all that waits, and use the original streams from now on: the host is about to end."""
    flush()
    use(None)
    write_kept()


def forget():
    """In a child of this process there is no host, and what waits is the parent's to write."""
    global host, held, kept
    host = held = None
    kept = []
    Writer.forget()


os.register_at_fork(after_in_child=forget)
