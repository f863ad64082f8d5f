#!/usr/bin/env python3
"""Word count for Hadoop Streaming: the mapper."""
import sys

for line in sys.stdin:
    words = line.strip().split()
    sys.stderr.write("reporter:counter:words,lines,1\n")
    if not words:
        sys.stderr.write("reporter:counter:words,empty lines,1\n")
    for word in words:
        print("%s\t%s" % (word.lower(), 1))
sys.stderr.write("reporter:status:mapped\n")
