"use strict";
// What both pages share: making nodes, charts, and the overview of one or more runs.
// Everything that comes from a run is put in as text or as an attribute, never as HTML.

const WIDTH = 360, HEIGHT = 200, LEFT = 46, BOTTOM = 20, TOP = 8, RIGHT = 8, COLORS = 8;
const DRAWN = ["svg", "path", "line", "text", "rect", "g", "circle"];

function make(tag, attributes = {}, ...children) {
  const node = DRAWN.includes(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

function section(title, ...nodes) {
  return make("section", {}, make("h2", {}, title), ...nodes);
}

// ---------------------------------------------------------------- tables

function table(runs, field) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run[field])))];
  const rows = names.map((name) => {
    const values = runs.map((run) => run[field][name] ?? "–");
    const differs = field === "recipe" && new Set(values).size > 1;
    const cells = values.map((value) => make("td", {}, value));
    return make("tr", differs ? { class: "differs" } : {}, make("th", {}, name.replaceAll("_", " ")), ...cells);
  });
  const head = make("tr", {}, make("th"), ...runs.map((run) => make("th", {}, run.name)));
  return make("div", { class: "scroll" }, make("table", {}, ...(runs.length > 1 ? [head] : []), ...rows));
}

function about(run) {
  return `${run.model} · ${run.step.toLocaleString("en")} steps in ${run.time} · ${run.state}`;
}

// ---------------------------------------------------------------- samples

function samples(runs, state) {
  const shown = runs.filter((run) => run.samples.length);
  if (!shown.length) return [];
  const steps = [...new Set(shown.flatMap((run) => run.samples.map((one) => one.step)))].sort((a, b) => a - b);
  const last = steps[steps.length - 1];
  const at = state.sample === null ? steps.length - 1 : Math.max(0, steps.findLastIndex((step) => step <= state.sample));
  const slider = make("input", { id: "step", type: "range", min: 0, max: steps.length - 1, value: at });
  slider.setAttribute("aria-label", "step of the training");
  const caption = make("span", { id: "at" }), row = make("div", { class: "row" });
  const figures = shown.map((run) => {
    const place = make("div"), name = runs.length > 1 ? [make("figcaption", {}, run.name)] : [];
    row.append(make("figure", {}, ...name, place));
    return { run, place };
  });
  function update() {
    const step = steps[slider.value];
    caption.textContent = ` after step ${step.toLocaleString("en")} of ${last.toLocaleString("en")}`;
    for (const { run, place } of figures) {
      const one = run.samples.findLast((some) => some.step <= step) || run.samples[0];
      const node = one.source ? make("img", { src: one.source, alt: `samples after step ${one.step}` })
        : make("pre", { class: "text" }, one.text);
      place.replaceChildren(node);
    }
  }
  slider.addEventListener("input", () => {
    state.sample = Number(slider.value) === steps.length - 1 ? null : steps[slider.value];
    update();
  });
  update();
  return [section("Samples", make("p", {}, slider, caption), row)];
}

// ---------------------------------------------------------------- curves

function smoothed(points, weight) {
  let mean = null;
  return points.map(([x, y]) => {
    if (y === null) return [x, null];
    mean = mean === null ? y : weight * mean + (1 - weight) * y;
    return [x, mean];
  });
}

function path(points, x, y) {
  let text = "", pen = false;
  for (const [step, value] of points) {
    const at = value === null ? NaN : y(value);
    if (Number.isFinite(at)) text += `${pen ? "L" : "M"}${x(step).toFixed(1)},${at.toFixed(1)}`;
    pen = Number.isFinite(at);
  }
  return text;
}

function number(value) {
  return Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(1) : String(+value.toPrecision(4));
}

// Few numbers between two, for an axis; of any size that a float can have.
function ticks(low, high, count, log) {
  const found = [];
  if (log) {
    const from = Math.ceil(Math.log10(low) - 1e-9), to = Math.floor(Math.log10(high) + 1e-9);
    const apart = Math.max(1, Math.ceil((to - from + 1) / (2 * count)));
    for (let power = from; power <= to && power < from + 2000; power += apart) found.push(10 ** power);
    return found.length >= 2 ? found : [low, high];
  }
  const rough = (high - low) / count || 1, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * unit).find((size) => size >= rough);
  if (!Number.isFinite(step) || low + step === low) return [low, high];
  const first = Math.ceil(low / step), last = Math.floor(high / step + 1e-6);
  for (let i = first; i <= last && i < first + 20; i++) found.push(i * step);
  return found;
}

class Chart {
  constructor(panel, runs, state) {
    this.series = [];
    this.state = state;
    this.title = panel.title;
    for (const run of runs) {
      for (const name of panel.names) {
        const points = run.curves[name] || [];
        const label = (runs.length > 1 ? `${run.name} ` : "") + name.replaceAll("_", " ");
        if (points.length) this.series.push({ label, points, color: `c${this.series.length % COLORS}` });
      }
    }
    this.svg = make("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    this.svg.setAttribute("aria-label", panel.title);
    this.legend = make("div", { class: "legend" });
    this.box = make("div", { class: "chart" }, make("h3", {}, panel.title), this.svg, this.legend);
    this.listen();
  }

  scales(log) {
    const all = this.series.flatMap((one) => one.points);
    const steps = all.map((point) => point[0]);
    const [left, right] = this.state.windows[this.title] || this.state.range || [Math.min(...steps), Math.max(...steps)];
    const inside = all.filter(([x, y]) => x >= left && x <= right && y !== null && (!log || y > 0)).map((point) => point[1]);
    let low = Math.min(...inside), high = Math.max(...inside);
    if (!inside.length) [low, high] = log ? [0.1, 1] : [0, 1];
    if (low === high) [low, high] = log ? [low / 2, Math.min(high * 2, Number.MAX_VALUE)] : [low - 0.5, high + 0.5];
    const across = right - left || 1, change = log ? Math.log : (value) => value / 2; // so that no difference is too large
    const bottom = change(low), up = change(high) - bottom || 1;
    const plotted = { width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM };
    return {
      left, right, low, high,
      x: (step) => LEFT + ((step - left) / across) * plotted.width,
      y: (value) => HEIGHT - BOTTOM - ((change(value) - bottom) / up) * plotted.height,
      step: (x) => left + ((x - LEFT) / plotted.width) * across,
    };
  }

  draw() {
    const { smooth: weight, log } = this.state;
    const scale = (this.scale = this.scales(log));
    const nodes = [];
    for (const value of ticks(scale.low, scale.high, 4, log)) {
      const y = scale.y(value);
      nodes.push(make("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }));
      nodes.push(make("text", { x: LEFT - 4, y: y + 3, "text-anchor": "end" }, number(value)));
    }
    for (const step of ticks(scale.left, scale.right, 4, false)) {
      nodes.push(make("text", { x: scale.x(step), y: HEIGHT - 6, "text-anchor": "middle" }, step.toLocaleString("en")));
    }
    for (const { points, color } of this.series) {
      const seen = points.filter(([x]) => x >= scale.left && x <= scale.right);
      if (weight > 0) nodes.push(make("path", { class: `raw ${color}`, d: path(seen, scale.x, scale.y) }));
      nodes.push(make("path", { class: `curve ${color}`, d: path(smoothed(seen, weight), scale.x, scale.y) }));
    }
    this.svg.replaceChildren(...nodes);
    this.read(scale.right);
  }

  read(step) {
    const texts = this.series.map(({ label, points, color }) => {
      const known = points.filter(([x, y]) => x <= step && y !== null);
      const value = known.length ? ` ${number(known[known.length - 1][1])}` : "";
      return make("span", {}, make("i", { class: color }), label + value);
    });
    this.legend.replaceChildren(...texts);
  }

  listen() {
    let from = null, band = null;
    const at = (event) => {
      const box = this.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * WIDTH;
      return Math.min(Math.max(x, LEFT), WIDTH - RIGHT);
    };
    this.svg.addEventListener("pointerdown", (event) => {
      from = at(event);
      band = make("rect", { class: "band", x: from, y: TOP, width: 0, height: HEIGHT - TOP - BOTTOM });
      this.svg.append(band);
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      this.read(this.scale.step(at(event)));
      if (from === null) return;
      band.setAttribute("x", Math.min(from, at(event)));
      band.setAttribute("width", Math.abs(at(event) - from));
    });
    this.svg.addEventListener("pointerup", (event) => {
      const ends = [from, at(event)].sort((a, b) => a - b).map((x) => this.scale.step(x));
      if (from !== null && Math.abs(at(event) - from) > 5) this.state.windows[this.title] = ends;
      from = null;
      this.draw();
    });
    this.svg.addEventListener("pointerleave", () => this.read(this.scale.right));
    this.svg.addEventListener("dblclick", () => {
      delete this.state.windows[this.title];
      this.draw();
    });
  }
}

function curves(runs, state) {
  const panels = new Map();
  for (const panel of runs.flatMap((run) => run.panels)) {
    const known = panels.get(panel.title) || { title: panel.title, names: [] };
    known.names = [...new Set([...known.names, ...panel.names])];
    panels.set(panel.title, known);
  }
  const charts = [...panels.values()].map((panel) => new Chart(panel, runs, state)).filter((chart) => chart.series.length);
  if (!charts.length) return [];
  const draw = () => charts.forEach((chart) => chart.draw());
  const smooth = make("input", { id: "smooth", type: "range", min: 0, max: 0.98, step: 0.02, value: state.smooth });
  const log = make("input", { id: "log", type: "checkbox", checked: state.log });
  smooth.addEventListener("input", () => { state.smooth = Number(smooth.value); draw(); });
  log.addEventListener("change", () => { state.log = log.checked; draw(); });
  const ends = ["from step", "to step"].map((label, i) => make("input", {
    type: "number", min: 0, "aria-label": label, placeholder: label, value: state.range ? state.range[i] : "", input: between,
  }));
  function between() {
    const [from, to] = ends.map((input) => (input.value === "" ? null : Number(input.value)));
    state.range = from !== null && to !== null && to > from ? [from, to] : null;
    state.windows = {};
    draw();
  }
  const tools = make("p", { class: "tools" }, make("label", {}, "smooth ", smooth), make("label", {}, log, " logarithmic"), ...ends, " ",
    make("span", { class: "hint" }, "drag over a chart to look closer, double-click to see all"));
  draw();
  return [section("Curves", tools, make("div", { id: "charts" }, ...charts.map((chart) => chart.box)))];
}

// ---------------------------------------------------------------- the overview

// What the reader has set, which stays when a run goes on and its overview is drawn anew. sample: a step, or the last.
function freshState() {
  return { smooth: 0.6, log: false, windows: {}, range: null, sample: null };
}

function overview(runs, state) {
  const damaged = runs.flatMap((run) => run.problems || []);
  const found = damaged.length ? [section("What can not be shown", ...damaged.map((text) => make("p", { class: "alarm" }, text)))] : [];
  found.push(...runs.filter((run) => run.alarms).map((run) => section("What the training said",
    make("pre", { class: "alarms" }, run.alarms))));
  if (runs.some((run) => Object.keys(run.results).length)) found.push(section("Results", table(runs, "results")));
  found.push(...samples(runs, state), ...curves(runs, state));
  const pictures = runs.flatMap((run) => run.pictures.map(({ name, source }) => {
    const label = (runs.length > 1 ? `${run.name}: ` : "") + name;
    return make("figure", {}, make("figcaption", {}, label), make("img", { src: source, alt: label }));
  }));
  if (pictures.length) found.push(section("Pictures", ...pictures));
  found.push(section("Recipe", table(runs, "recipe")));
  return found;
}
