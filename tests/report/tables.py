# Prints the tables of the page on standard input as JSON, and fails on what a page may not have: an element that
# is not closed, two elements of one id, or an address of anything to load.
import json
import sys
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tables, self.ids, self.named = [], [], set(), []
        self.cell = None

    def handle_starttag(self, tag, attributes):
        had = dict(attributes)
        assert tag not in ("script", "img", "link", "iframe", "object", "base"), tag
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert name not in had, (tag, name)
        assert not any(name.startswith("on") for name in had), had
        if "id" in had:
            assert had["id"] not in self.ids, had["id"]
            self.ids.add(had["id"])
        self.named += (had.get("aria-labelledby") or "").split()
        if tag == "svg":
            assert had["role"] == "img" and had["aria-labelledby"], had
        if tag == "table":
            self.tables.append({"name": had["data-table"], "caption": "", "columns": [], "rows": []})
        if tag == "tr" and "thead" not in self.open:
            self.tables[-1]["rows"].append([])
        if tag in ("td", "th"):
            self.cell = [had.get("data-value"), ""]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()
        if tag in ("td", "th"):
            value, text = self.cell
            self.cell = None
            if "thead" in self.open:
                self.tables[-1]["columns"].append(text)
            else:
                self.tables[-1]["rows"][-1].append(text if value is None else value)

    def handle_data(self, data):
        if self.cell is not None:
            self.cell[1] += data
        if self.open and self.open[-1] == "caption":
            self.tables[-1]["caption"] += data


page = Page()
page.feed(sys.stdin.read())
page.close()
assert not page.open, page.open
assert set(page.named) <= page.ids, set(page.named) - page.ids
json.dump(page.tables, sys.stdout)
