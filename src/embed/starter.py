# Runs when a Python is given the `pex` of a directory (`python DIR/pex`), and where that file cannot be executed.
import os
import sys


def start(path, argv, env, options, error):
    bootstrap(path, argv[1:], options, None)


def bootstrap(path, args, options, reason):
    """The directory's own bootstrap, to which the link led that stood here. Does not return."""
    main = os.path.join(os.path.dirname(os.path.realpath(path)), "__main__.py")
    os.execv(sys.executable, [sys.executable] + options + [main] + args)


if __name__ == "__main__":
    native = {"__name__": "__pex__main", "__loader__": __loader__}
    exec(__loader__.get_code("__pex__main"), native)
    path = __loader__.archive
    if "_PEX_SHOULD_EXIT_BOOTSTRAP_REEXEC" in os.environ:
        # The bootstrap has come here by itself, with the Python that it has chosen: it goes on.
        python, args = native["options"](path)
        bootstrap(path, args, python, None)
    native["start"](path)
