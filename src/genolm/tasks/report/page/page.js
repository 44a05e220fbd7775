"use strict";
(() => {
  const place = document.getElementById("browser");
  const message = document.getElementById("browser-message");
  const view = JSON.parse(document.getElementById("browser-view").textContent);
  const opened = igv.createBrowser(place, view).catch((error) => {
    message.textContent = `Cannot show the genome browser: ${error.message || error}`;
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

  const source = document.getElementById("variants-data");
  if (!source) return;
  const { columns, rows } = JSON.parse(source.textContent);
  const kinds = JSON.parse(source.dataset.kinds || "{}");
  const find = (name) => document.getElementById(`variants-${name}`);
  const [table, count, filter, low, high] = ["table", "count", "filter", "low", "high"].map(find);
  const [before, after] = ["before", "after"].map(find);
  const [TYPE, LABEL, SCORE, STATUS, LOCUS] = [1, 4, 5, 6, 7];
  const PAGE = 100;
  const used = columns.map((_, column) => column).filter((column) =>
    column === SCORE || rows.some((row) => row[column] !== ""));
  const texts = rows.map((row) => row.slice(0, LOCUS).join(" ").toLowerCase());
  let [order, shown, first, sorted, sign] = [rows.map((_, number) => number), [], 0, SCORE, 1];
  const selects = new Map();

  const cellOf = (tag, text, numeric) => {
    const cell = document.createElement(tag);
    if (numeric) cell.className = "number";
    cell.textContent = text;
    return cell;
  };
  const buttonOf = (text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    return button;
  };
  const drawCell = (row, column) => {
    const value = row[column];
    const cell = cellOf("td", column === SCORE && value !== null ? value.toFixed(4) : value ?? "", column === SCORE);
    if (String(value ?? "").length > 24) cell.title = value;
    if (column === 0 && row[LOCUS]) {
      const button = buttonOf(value);
      button.dataset.locus = row[LOCUS];
      cell.replaceChildren(button);
    } else if (column === LABEL && value) {
      const label = document.createElement("span");
      label.className = `class ${kinds[value] || ""}`;
      label.textContent = value;
      cell.replaceChildren(label);
    }
    return cell;
  };
  const draw = () => {
    const page = shown.slice(first, first + PAGE).map((number) => {
      const line = document.createElement("tr");
      line.append(...used.map((column) => drawCell(rows[number], column)));
      return line;
    });
    table.tBodies[0].replaceChildren(...page);
    const last = Math.min(first + PAGE, shown.length);
    const range = shown.length ? `${(first + 1).toLocaleString("en")}–${last.toLocaleString("en")} of ` : "";
    const all = shown.length === rows.length ? "" : ` (${rows.length.toLocaleString("en")} without filter)`;
    count.textContent = `${range}${shown.length.toLocaleString("en")}${all}`;
    before.disabled = first === 0;
    after.disabled = last >= shown.length;
  };
  const select = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const [least, most] = [low, high].map((input) => (input.value === "" ? null : Number(input.value)));
    shown = order.filter((number) => {
      const [row, score] = [rows[number], rows[number][SCORE]];
      return words.every((word) => texts[number].includes(word))
        && [...selects].every(([column, input]) => !input.value || row[column] === input.value)
        && (least === null || (score !== null && score >= least))
        && (most === null || (score !== null && score <= most));
    });
    first = 0;
    draw();
  };
  const sort = (column) => {
    sign = column === sorted ? -sign : 1;
    sorted = column;
    const natural = new Intl.Collator("en", { numeric: true });
    const missing = (value) => value === null || value === "";
    order.sort((one, other) => {
      const [left, right] = [rows[one][column], rows[other][column]];
      if (missing(left) || missing(right)) return missing(left) - missing(right);
      return sign * (column === SCORE ? left - right : natural.compare(left, right));
    });
    for (const heading of table.tHead.rows[0].cells) {
      if (Number(heading.dataset.column) !== column) heading.removeAttribute("aria-sort");
      else heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    }
    select();
    table.parentElement.scrollTop = 0;
  };

  for (const column of used) {
    const heading = cellOf("th", "", column === SCORE);
    heading.scope = "col";
    heading.dataset.column = column;
    if (column === SCORE) heading.setAttribute("aria-sort", "ascending");
    const button = buttonOf(columns[column]);
    button.addEventListener("click", () => sort(column));
    heading.append(button);
    table.tHead.rows[0].append(heading);
  }
  for (const column of [TYPE, LABEL, STATUS]) {
    const values = [...new Set(rows.map((row) => row[column]))].filter(Boolean).sort();
    if (values.length < 2 || values.length > 20) continue;
    const label = document.createElement("label");
    const input = document.createElement("select");
    input.append(new Option("all", ""), ...values.map((value) => new Option(value, value)));
    input.addEventListener("change", select);
    label.append(`${columns[column]} `, input);
    find("selects").append(label);
    selects.set(column, input);
  }
  for (const input of [filter, low, high]) input.addEventListener("input", select);
  before.addEventListener("click", () => { first -= PAGE; draw(); });
  after.addEventListener("click", () => { first += PAGE; draw(); });
  select();
})();
