(async () => {
  "use strict";
  const page = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const plots = [...document.querySelectorAll(".plot")];
  const night = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const swap = JSON.parse(byId("dark").textContent);

  async function unpack(id) {
    const packed = Uint8Array.from(atob(byId(id).textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  async function library() {
    const script = document.createElement("script");
    script.textContent = await unpack("library");
    document.head.append(script);
    script.remove();
  }

  function figure(plot, dark) {
    let text = plot.figureText;
    if (dark) for (const [light, deep] of Object.entries(swap)) text = text.replaceAll(light, deep);
    const found = JSON.parse(text);
    found.layout.autosize = true;
    if (found.layout.height) plot.style.height = `${found.layout.height}px`; // of as many rows as it has
    found.layout.height = plot.clientHeight; // otherwise the style sheet decides
    found.layout.dragmode = coarse ? false : "zoom";
    found.layout.hoverlabel = { bgcolor: dark ? "#22272e" : "#ffffff", font: { color: dark ? "#f0f3f6" : "#1f2328" } };
    for (const { marker } of found.data) if (marker?.colorscale) marker.reversescale = !dark;
    // Narrow screens: many ticks turn into slanted ones, and a wide legend eats the chart.
    if (plot.clientWidth < 480) {
      found.layout.font = { ...found.layout.font, size: 12 };
      for (const trace of found.data) if (trace.mode === "markers+text") trace.mode = "markers";
      for (const name of Object.keys(found.layout)) {
        const axis = found.layout[name];
        if (!/^xaxis/.test(name)) continue;
        if (!axis.tickvals) axis.nticks = 4;
        else if (axis.tickvals.length > 7) {
          axis.tickvals = axis.tickvals.filter((_, i) => i % 2 === 0);
          axis.ticktext = axis.ticktext.filter((_, i) => i % 2 === 0);
        }
      }
    }
    return found;
  }

  // Nothing on the page may lead out of it: plotly would offer to upload the chart to its cloud.
  const config = {
    responsive: true,
    displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
  };

  async function drawOne(plot, dark, fixed) {
    plot.figureText ??= await unpack(plot.dataset.chart);
    const { data, layout } = figure(plot, dark);
    if (fixed) Object.assign(layout, { width: plot.clientWidth, autosize: false });
    await Plotly.react(plot, data, layout, config);
    plot.dataset.drawn = "yes";
  }

  const draw = (dark, fixed = false) => Promise.all(plots.map((plot) => drawOne(plot, dark, fixed)));

  // The next day: a table to search and sort, in which a sensor opens into its chart.
  const day = byId("day");
  let series = null; // unpacked when the first sensor is opened

  function band(times, low, high, fill) {
    const x = [], y = [];
    for (let i = 0; i < times.length; i += 1) {
      if (low[i] === null) continue;
      const from = i;
      while (i + 1 < times.length && low[i + 1] !== null) i += 1;
      const part = (list) => list.slice(from, i + 1);
      x.push(...part(times), ...part(times).reverse(), null);
      y.push(...part(high), ...part(low).reverse(), null);
    }
    return { x, y, fill: "toself", fillcolor: fill, mode: "lines", line: { width: 0, color: fill }, hoverinfo: "skip" };
  }

  function chartOf(one) {
    const { times, recent, unit, label, zero } = series;
    const [low, quarter, three, high] = one.bands;
    const shared = { gridcolor: "#d8dee4", automargin: true, zeroline: false, ticklabelstandoff: 4 };
    const clear = "rgba(0,0,0,0)";
    const title = (text) => ({ text: text.replaceAll("<", "&lt;"), font: { size: 13 }, standoff: 8 });
    const lines = one.limits.map(([, at]) => ({
      type: "line", xref: "paper", x0: 0, x1: 1, y0: at, y1: at, line: { color: "#b34700", width: 1.5, dash: "6px,3px" },
    }));
    const names = one.limits.map(([name, at]) => ({
      xref: "paper", x: 0, y: at, text: name.replaceAll("<", "&lt;"), showarrow: false, xanchor: "left", yanchor: "bottom",
      font: { color: "#b34700", size: 12 },
    }));
    return JSON.stringify({
      data: [
        band(times, low, high, "rgba(0,114,178,0.18)"),
        band(times, quarter, three, "rgba(0,114,178,0.30)"),
        { x: times, y: one.point, name: "forecast", mode: times.length > 1 ? "lines" : "markers", line: { color: "#0072b2", width: 2.5 },
          customdata: low.map((edge, i) => [edge, high[i]]),
          hovertemplate: `%{y:,.4~r} ${unit.replaceAll("<", "&lt;")} (90 %: %{customdata[0]:,.4~r} to %{customdata[1]:,.4~r})` },
        { x: recent, y: one.measured, name: "measured", mode: "lines", line: { color: "#1f2328", width: 1.6 }, hovertemplate: "%{y:,.4~r}" },
      ],
      layout: {
        template: "none", margin: { l: 8, r: 8, t: 8, b: 8 }, hovermode: "x unified", showlegend: false,
        paper_bgcolor: clear, plot_bgcolor: clear, shapes: lines, annotations: names,
        modebar: { bgcolor: clear, color: "#424a53", activecolor: "#1f2328" },
        font: { family: "system-ui, sans-serif", size: 13, color: "#424a53" },
        xaxis: { type: "date", hoverformat: "%a %Y-%m-%d %H:%M", ...shared },
        yaxis: { title: title(label), rangemode: zero ? "tozero" : "normal", separatethousands: true, exponentformat: "power", ...shared },
      },
    });
  }

  async function toggle(row, button) {
    const open = row.nextElementSibling?.classList.contains("chart") ? row.nextElementSibling : null;
    button.setAttribute("aria-expanded", String(!open));
    if (open) {
      plots.splice(plots.indexOf(open.querySelector(".plot")), 1);
      open.remove();
      return;
    }
    series ??= JSON.parse(await unpack("series"));
    const holder = document.createElement("tr");
    holder.className = "chart";
    const cell = holder.insertCell();
    cell.colSpan = row.cells.length;
    const plot = document.createElement("div");
    plot.className = "plot";
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-label", `Measurements and forecast of ${button.textContent} with 50 and 90 per cent intervals`);
    plot.figureText = chartOf(series.sensors[Number(row.dataset.row)]);
    cell.append(plot);
    row.after(holder);
    plots.push(plot);
    await drawOne(plot, night.matches);
  }

  function closeAll() {
    for (const button of day.querySelectorAll("button[aria-expanded=true]")) button.click();
  }

  function sortBy(head, column) {
    closeAll();
    const numbers = head.dataset.kind === "number";
    const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") !== "descending" : numbers;
    const key = (row) => row.cells[column].dataset.v;
    const compare = numbers
      ? (a, b) => (key(a) === "") - (key(b) === "") || (Number(key(a)) - Number(key(b))) * (down ? -1 : 1)
      : (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true }) * (down ? -1 : 1);
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    day.tBodies[0].append(...[...day.tBodies[0].rows].sort(compare));
    limit();
  }

  function limit() {
    const wanted = byId("search")?.value.trim().toLowerCase() ?? "";
    const rows = [...day.tBodies[0].rows].filter((row) => !row.classList.contains("chart"));
    const hits = rows.filter((row) => row.cells[0].dataset.v.toLowerCase().includes(wanted));
    const most = wanted || day.dataset.all ? Infinity : Number(day.dataset.shown);
    for (const row of rows) row.classList.add("off");
    for (const row of hits.slice(0, most)) row.classList.remove("off");
    const shown = Math.min(most, hits.length);
    if (byId("found")) byId("found").textContent = shown < rows.length ? `${shown} of ${rows.length} sensors` : "";
    if (byId("all")) byId("all").hidden = shown === hits.length;
  }

  function prepareTable() {
    const heads = [...day.tHead.rows[0].cells];
    const labels = heads.map((head) => head.textContent.trim());
    heads.forEach((head, column) => {
      if (!head.dataset.kind) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(head, column));
      head.append(button);
    });
    // What a narrow screen shows as one card a row is a table all the same.
    for (const [part, role] of [["", "table"], ["thead, #day tbody", "rowgroup"], ["tr", "row"], ["td", "cell"], ["thead th", "columnheader"], ["tbody th", "rowheader"]]) {
      for (const one of part ? document.querySelectorAll(`#day ${part}`) : [day]) one.setAttribute("role", role);
    }
    for (const cell of day.querySelectorAll("td")) cell.dataset.label = labels[cell.cellIndex];
    for (const row of day.tBodies[0].rows) {
      const name = row.cells[0].firstChild, button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-expanded", "false");
      name.replaceWith(button);
      button.append(name);
      button.addEventListener("click", () => toggle(row, button));
    }
    document.querySelector(".tools")?.removeAttribute("hidden");
    byId("search")?.addEventListener("input", () => { closeAll(); limit(); });
    byId("all")?.addEventListener("click", () => { day.dataset.all = "yes"; limit(); });
    limit();
  }

  // On paper, every chart has the width of its box there, and what no chart shows is open.
  let closed = [];
  function toPaper() {
    closed = [...document.querySelectorAll("details:not([open], .charted)")];
    for (const one of closed) one.open = true;
    page.classList.add("paper");
    draw(false, true);
  }

  function toScreen() {
    for (const one of closed) one.open = false;
    page.classList.remove("paper");
    draw(night.matches);
  }

  try {
    if (plots.length || day) {
      page.classList.add("charts");
      if (day) prepareTable();
      await library();
      await draw(night.matches);
      night.addEventListener("change", () => draw(night.matches));
      addEventListener("beforeprint", toPaper);
      addEventListener("afterprint", toScreen);
    }
  } catch (error) {
    page.classList.remove("charts");
    page.classList.add("no-charts");
    console.error(error);
  }
})();
