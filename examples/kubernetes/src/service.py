"""A small service: says what it was asked, or waits for SIGTERM and leaves in order."""

import os
import signal
import sys

import cowsay


def main():
    words = sys.argv[1:]
    if words[:1] == ["exit"]:
        return int(words[1])
    if words[:1] == ["serve"]:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("ready", os.getpid(), flush=True)
        while True:
            signal.pause()
    print(cowsay.get_output_string("cow", " ".join(words)).count("\n") > 5, os.getuid())
    return 0
