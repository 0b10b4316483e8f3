"""Runs the command that was installed beside this module: `python -m pexboot`."""

import os
import sys
import sysconfig


def places():
    """Where an installer puts commands: this interpreter's, a user's own, and what `pip install --target` makes."""
    yield sysconfig.get_path("scripts")
    user = "{}_user".format(os.name)
    if user in sysconfig.get_scheme_names():
        yield sysconfig.get_path("scripts", user)
    yield os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bin")


def main():
    for place in places():
        command = os.path.join(place, "pexboot")
        if os.access(command, os.X_OK):
            os.execv(command, [command] + sys.argv[1:])
    sys.exit("pexboot: the command is missing: it was in none of the directories {}; install the package "
             "again".format(", ".join("`{}`".format(place) for place in places())))


if __name__ == "__main__":
    main()
