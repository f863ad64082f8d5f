#!/usr/bin/env python3
"""A mapper: flights in, a record per flight that left, with what the reports need and no more."""
import json
import sys

for line in sys.stdin:
    flight = json.loads(line)
    if flight["dep_delay"] is None:
        continue
    print(json.dumps({
        "route": flight["origin"] + "-" + flight["dest"],
        "carrier": flight["carrier"],
        "hour": int(flight["hour"]),
        "delay": int(flight["dep_delay"]),
    }))
