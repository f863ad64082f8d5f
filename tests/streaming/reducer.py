#!/usr/bin/env python3
"""Word count for Hadoop Streaming: the reducer."""
import sys

current, total = None, 0


def tell():
    print("%s\t%d" % (current, total))
    if total > 100:
        sys.stderr.write("reporter:counter:words,frequent,1\n")


for line in sys.stdin:
    word, count = line.rstrip("\n").split("\t", 1)
    if word != current:
        if current is not None:
            tell()
        current, total = word, 0
    total += int(count)
if current is not None:
    tell()
