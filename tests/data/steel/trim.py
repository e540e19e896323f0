"""Makes kwh.csv from the published Steel_industry_data.csv: trim.py Steel_industry_data.csv > kwh.csv

Labels are the ends of 15-minute intervals in Asia/Seoul. The published file labels the last interval of each day
"<same day> 00:00"; here it carries the midnight at which it ends, so that time never runs backwards. The one row
whose columns are all 0 is a drop-out of the meter, marked bad.
"""

import csv
import datetime
import sys

out = csv.writer(sys.stdout, lineterminator="\n")
out.writerow(["time", "tag", "value", "quality"])
with open(sys.argv[1], encoding="utf-8-sig", newline="") as published:
    for row in csv.DictReader(published):
        end = datetime.datetime.strptime(row["date"], "%d/%m/%Y %H:%M")
        if row["NSM"] == "0":
            end += datetime.timedelta(days=1)
        measured = [row[name] for name in row if name not in ("date", "NSM", "WeekStatus", "Day_of_week", "Load_Type")]
        quality = "" if any(float(value) for value in measured) else "bad"
        out.writerow([end.strftime("%Y-%m-%dT%H:%M:%S+09:00"), "mill.kwh", row["Usage_kWh"], quality])
