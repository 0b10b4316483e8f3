# Traces Python's part of a launch. The engine puts this behind a few lines that say FILE, INODE, OFFSET and the times
# BEGAN, WROTE, EXEC (microseconds), and the boot runs it (src/boot/boot.py). It imports nothing that Python has not
# imported by then, and what it changes is as before when the application is called.


def trace(boot, began):
    """Boots, and adds how long that took to the file."""
    import _thread
    import posix
    import sys
    from time import monotonic

    # Whoever imports os from now on does not see the variable; whoever has already, and children, do not either.
    posix.environ.pop(b"_PEXBOOT_TRACE", None)
    posix.unsetenv(b"_PEXBOOT_TRACE")
    if "os" in sys.modules:
        sys.modules["os"].environ.pop("_PEXBOOT_TRACE", None)

    pid, main, ident = posix.getpid(), _thread.get_ident(), _thread.get_ident
    native = getattr(_thread, "get_native_id", ident)
    events = []

    def add(category, name, start, end, thread=pid):
        name = "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in name)
        events.append(
            '{{"name":"{}","cat":"{}","ph":"X","ts":{:.3f},"dur":{:.3f},"pid":{},"tid":{}}}'.format(
                name, category, start, end - start, pid, thread
            )
        )

    # Every import of a module that is not there yet comes by this function, wherever it is asked for, and a module's
    # event encloses those of the modules that it imports itself.
    importlib = sys.modules.get("_frozen_importlib")
    find = getattr(importlib, "_find_and_load", None)

    def _find_and_load(name, import_):
        start = monotonic()
        try:
            return find(name, import_)
        finally:
            thread = ident()
            add("import", name, start * 1e6, monotonic() * 1e6, pid if thread == main else native())

    try:
        # Tracebacks leave out the frames of this file, and warnings do not count them.
        code = _find_and_load.__code__.replace(co_filename=find.__code__.co_filename)
        _find_and_load.__code__ = code
        importlib._find_and_load = _find_and_load
    except (AttributeError, TypeError):
        pass  # A Python before 3.8, or one that imports otherwise: no event for each module.

    began *= 1e6
    add("launch", "trace written", WROTE, EXEC)
    add("launch", "exec", EXEC, EXEC)
    add("launch", "Python start", EXEC, began)
    add("boot", "trace set up", began, monotonic() * 1e6)
    try:
        return boot()
    finally:
        if getattr(importlib, "_find_and_load", None) is _find_and_load:
            importlib._find_and_load = find
        end = monotonic() * 1e6
        add("launch", "boot", began, end)
        add("launch", "launch", BEGAN, end)
        if posix.getpid() == pid:
            _write(posix, ",\n".join(events).encode())


def _write(posix, events):
    """Puts the events in place of the file's last one, if the file is still this launch's."""
    try:
        file = posix.open(FILE, posix.O_RDWR | posix.O_NOFOLLOW | posix.O_CLOEXEC)
    except OSError:
        return
    try:
        if posix.fstat(file).st_ino == INODE:
            tail = posix.pread(file, 1 << 16, OFFSET)
            posix.pwrite(file, events + tail[tail.index(b"\n"):], OFFSET)
    except (OSError, ValueError):
        pass
    finally:
        posix.close(file)
