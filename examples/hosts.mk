# Reports on the flights, worked out on hosts: make -f hosts.mk HOSTS=node1,node2
#
# The cleaned records stay on the hosts; clean.mc is their manifest, and appears only when they lie
# there whole. It is grouped and reduced there too; only results come here. HOSTS is this machine
# twice, unless said.

HOSTS = :,:

all: carriers.csv worst.ndjson

clean.mc: data/flights.csv.gz clean.py
	mc-cat csv,null=NA:$< | mc-map -h $(HOSTS) -o $@ ./clean.py

carriers.csv: clean.mc
	mc-shuffle -k carrier --reduce flights=count mean:delay p95:delay < $< | mc-gather -o $@

worst.ndjson: clean.mc
	mc-shuffle -k carrier < $< | mc-reduce worst=maxby:delay | mc-gather -o $@

# The manifest is removed with its shards, and not without them.
clean:
	test ! -e clean.mc || mc-hosts --rm clean.mc
	rm -f carriers.csv worst.ndjson

.PHONY: all clean
