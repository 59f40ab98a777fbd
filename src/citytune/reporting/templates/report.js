(async () => {
  "use strict";
  const page = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const plots = [...document.querySelectorAll(".plot")];
  const night = matchMedia("(prefers-color-scheme: dark)");
  const coarse = matchMedia("(pointer: coarse)").matches;
  const swap = JSON.parse(byId("dark").textContent);

  async function library() {
    const packed = Uint8Array.from(atob(byId("library").textContent.trim()), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    script.remove();
  }

  function figure(plot, dark) {
    let text = byId(plot.dataset.chart).textContent;
    if (dark) for (const [light, deep] of Object.entries(swap)) text = text.replaceAll(light, deep);
    const found = JSON.parse(text);
    found.layout.autosize = true;
    found.layout.height = plot.clientHeight; // the style sheet decides
    found.layout.dragmode = coarse ? false : "zoom";
    found.layout.hoverlabel = { bgcolor: dark ? "#22272e" : "#ffffff", font: { color: dark ? "#f0f3f6" : "#1f2328" } };
    for (const { marker } of found.data) if (marker?.colorscale) marker.reversescale = !dark;
    // Narrow screens: many ticks turn into slanted ones, and a wide legend eats the chart.
    if (plot.clientWidth < 480) {
      found.layout.font.size = 12;
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
    const { data, layout } = figure(plot, dark);
    if (fixed) Object.assign(layout, { width: plot.clientWidth, autosize: false });
    await Plotly.react(plot, data, layout, config);
    plot.dataset.drawn = "yes";
  }

  const draw = (dark, fixed = false) => Promise.all(plots.map((plot) => drawOne(plot, dark, fixed)));

  // On paper, every chart has the width of its box there, and every table is open.
  let closed = [];
  function toPaper() {
    closed = [...document.querySelectorAll("details:not([open])")];
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
    if (plots.length) {
      page.classList.add("charts");
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
