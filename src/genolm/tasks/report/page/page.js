"use strict";
(() => {
  const place = document.getElementById("browser");
  const message = document.getElementById("browser-message");
  const view = JSON.parse(document.getElementById("browser-view").textContent);
  const opened = igv.createBrowser(place, view).catch((error) => {
    message.textContent = `The genome browser could not be shown: ${error.message || error}`;
    return null;
  });
  opened.then((browser) => { if (browser) document.documentElement.dataset.browser = "ready"; });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-locus]");
    if (!button) return;
    const browser = await opened;
    if (!browser) return;
    await browser.search(button.dataset.locus);
    place.scrollIntoView({ block: "center" });
    message.textContent = `Showing ${button.dataset.locus}.`;
  });

  const table = document.getElementById("variants-table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const count = document.getElementById("variants-count");
  const valueOf = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;

  const compare = (column, numeric, sign) => (one, other) => {
    const [left, right] = [valueOf(one, column), valueOf(other, column)];
    if (left === "" || right === "") return (left === "") - (right === "");
    return sign * (numeric ? Number(left) - Number(right) : left.localeCompare(right, "en", { numeric: true }));
  };

  table.tHead.addEventListener("click", (event) => {
    const heading = event.target.closest("th");
    if (!heading || !event.target.closest("button")) return;
    const falling = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
    rows.sort(compare(heading.cellIndex, heading.classList.contains("number"), falling ? -1 : 1));
    body.append(...rows);
  });

  document.getElementById("variants-filter").addEventListener("input", (event) => {
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} shown`;
  });
})();
