"""Waits until the query of Airflow's database has an answer, and prints it: state.py DATABASE QUERY."""

import sqlite3
import sys
import time

for _ in range(1200):
    try:
        row = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True).execute(sys.argv[2]).fetchone()
    except sqlite3.Error:
        row = None
    if row:
        print(*row)
        break
    time.sleep(0.25)
else:
    sys.exit("no answer: " + sys.argv[2])
