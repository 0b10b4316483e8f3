"""A user's job: its own code, and a package that the platform brings."""

import sys

import cowsay


def speak(text):
    return cowsay.get_output_string("cow", text)


def main():
    text = " ".join(sys.argv[1:]) or "moo"
    print("job:", text in speak(text), cowsay.__file__.split("/")[-2])
    return 0
