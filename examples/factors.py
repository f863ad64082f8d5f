#!/usr/bin/env python3
"""The prime factors of the number in its argument, as a record."""
import json
import sys

number = int(sys.argv[1])
rest, factor, factors = number, 2, []
while factor * factor <= rest:
    while rest % factor == 0:
        factors.append(factor)
        rest //= factor
    factor += 1
if rest > 1:
    factors.append(rest)
print(json.dumps({"n": number, "factors": factors}))
