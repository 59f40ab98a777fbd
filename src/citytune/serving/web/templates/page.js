(() => {
  "use strict";

  // A job that is followed: when it ends, the page is made anew on the server.
  for (const box of document.querySelectorAll("[data-job]")) {
    const bar = box.querySelector("progress"), stage = box.querySelector("[data-stage]");
    const words = JSON.parse(box.dataset.words);
    const events = new EventSource(`/jobs/${box.dataset.job}/events`);
    events.addEventListener("progress", (event) => {
      const job = JSON.parse(event.data);
      bar.value = job.share;
      const [said, ...rest] = (job.stage || job.state).split(": ");
      stage.textContent = [words[said] ?? said, ...rest].join(": ");
    });
    events.addEventListener("end", () => {
      events.close();
      location.reload();
    });
  }

  function sortBy(table, head, column) {
    const body = table.tBodies[0], cell = (row) => row.cells[column].dataset.v;
    const rows = [...body.rows];
    const known = (text) => text !== "" && text !== "nan";
    const numbers = rows.every((row) => !known(cell(row)) || Number.isFinite(Number(cell(row))));
    const before = head.getAttribute("aria-sort");
    const down = before ? before !== "descending" : numbers;
    const order = (a, b) => numbers ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true });
    rows.sort((a, b) => known(cell(b)) - known(cell(a)) || order(cell(a), cell(b)) * (down ? -1 : 1));
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows);
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (table.tBodies[0].rows[0]?.cells[column].dataset.v === undefined) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(table, head, column));
      head.append(button);
    });
  }

  for (const field of document.querySelectorAll("[data-search]")) {
    const rows = [...document.getElementById(field.dataset.search).tBodies[0].rows];
    const tools = field.closest(".tools"), found = tools.querySelector("[role=status]");
    tools.hidden = false;
    field.addEventListener("input", () => {
      const wanted = field.value.trim().toLowerCase();
      const hits = rows.filter((row) => row.cells[0].dataset.v.toLowerCase().includes(wanted));
      for (const row of rows) row.classList.toggle("off", !hits.includes(row));
      found.textContent = wanted ? `${hits.length} / ${rows.length}` : "";
    });
  }
})();
