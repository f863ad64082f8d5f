// In the test's copy of a page: its tables as they are rendered, and how wide it is, for whoever holds it.
const text = (cell) => cell.dataset.value ?? cell.textContent;
const tables = [...document.querySelectorAll("table")].map((table) => ({
  name: table.dataset.table,
  caption: table.caption.textContent,
  columns: [...table.tHead.rows[0].cells].map((cell) => cell.textContent),
  rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map(text)),
}));
const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
const ground = getComputedStyle(document.body).backgroundColor;
const hidden = [...document.querySelectorAll("svg text")].filter((t) => t.getBBox().height === 0 && t.checkVisibility());
const root = document.documentElement;
parent.postMessage(JSON.stringify({
  tables, loaded, ground, hidden: hidden.length, width: innerWidth, scroll: root.scrollWidth,
}), "*");
