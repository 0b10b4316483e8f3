"""pexboot puts a native launcher in front of PEX files. The command does all the work: `python -m pexboot`."""
