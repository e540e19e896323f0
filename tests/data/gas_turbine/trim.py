#!/usr/bin/env python3
"""Makes samples.csv of gt_2011.csv: CO and NOx of the first 48 rows, as hours of two days. Usage: trim.py gt_2011.csv"""

import csv
import sys

ROWS = 48

with open(sys.argv[1], newline="") as file:
    rows = list(csv.DictReader(file))[:ROWS]
print("time,tag,value")
for hour in range(ROWS + 1):
    # The last row is told once more where the second day ends, so that the day is whole.
    row = rows[min(hour, ROWS - 1)]
    day, of_day = divmod(hour, 24)
    for column, tag in (("CO", "turbine.co"), ("NOX", "turbine.nox")):
        print(f"2011-01-0{day + 1}T{of_day:02}:00:00+07:00,{tag},{row[column]}")
