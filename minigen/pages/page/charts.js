"use strict";
// Charts of what runs logged: zoomed by dragging, smoothed where there are many points.

const WIDTH = 360, HEIGHT = 200, LEFT = 46, BOTTOM = 20, TOP = 8, RIGHT = 8;
const MANY = 50; // points; a curve of no more is drawn as it is, with its points as dots

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

function dots(points, x, y) {
  const places = points.filter(([, value]) => value !== null).map(([step, value]) => [x(step), y(value)]);
  return places.filter(([, at]) => Number.isFinite(at)).map(([across, at]) => `M${across.toFixed(1)},${at.toFixed(1)}h0`).join("");
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
      const line = (kind, all, draw) => nodes.push(make("path", {
        class: `${kind} ${color}`, d: draw(all.filter(([x]) => x >= scale.left && x <= scale.right), scale.x, scale.y),
      }));
      if (points.length > MANY && weight > 0) line("raw", points, path);
      if (points.length <= MANY) line("dots", points, dots);
      line("curve", points.length > MANY ? smoothed(points, weight) : points, path);
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
  const long = charts.some((chart) => chart.series.some(({ points }) => points.length > MANY));
  const tools = make("p", { class: "tools" }, ...(long ? [make("label", {}, "smooth ", smooth)] : []), make("label", {}, log, " logarithmic"), ...ends, " ",
    make("span", { class: "hint" }, "drag over a chart to look closer, double-click to see all",
      long ? `; only curves of more than ${MANY} points are smoothed, and pale below as they are` : ""));
  draw();
  return [section("Curves", tools, make("div", { id: "charts" }, ...charts.map((chart) => chart.box)))];
}
