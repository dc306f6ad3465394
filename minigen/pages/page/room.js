"use strict";
// What the rooms of the page share. A room is { title, build(place, run) }: it fills `place` for one run.

const rooms = {};

// Leaving a page ends its questions, so that the server need not go on computing for nobody.
let leaving = new AbortController(), asking = 0;

class Told extends Error {} // what the server said is wrong, in contrast to no answer at all

async function ask(path, query) {
  const busy = document.getElementById("busy"), later = setTimeout(() => { busy.hidden = false; }, 400);
  asking += 1;
  let answer, text;
  try {
    answer = await fetch(path + (query ? `?${new URLSearchParams(query)}` : ""), { signal: leaving.signal });
    text = await answer.text();
  } finally {
    clearTimeout(later);
    asking -= 1;
    if (!asking) busy.hidden = true;
  }
  let found;
  try {
    found = JSON.parse(text);
  } catch {
    throw new Told(text || answer.statusText);
  }
  if (!answer.ok) throw new Told(found.problem || answer.statusText);
  return found;
}

function complain(error, place = document.getElementById("problem")) {
  if (error?.name === "AbortError") return;
  place.textContent = error ? error.message : "";
  place.hidden = !error;
}

// Where a room says what is wrong with what was asked of it, beside the field.
function alarm() {
  return make("p", { class: "alarm", role: "alert", hidden: true });
}

// work(...) one at a time: while it runs, only the latest of further calls waits. What goes wrong is shown: what the
// server said of a question at `place`, that it does not answer at the top.
function latest(work, place) {
  let busy = false, waiting = null;
  return async function again(...given) {
    if (busy) { waiting = given; return; }
    busy = true;
    try {
      await work(...given);
      complain(null);
      complain(null, place);
    } catch (error) {
      complain(error, error instanceof Told ? place : undefined);
    }
    busy = false;
    if (waiting) { const next = waiting; waiting = null; again(...next); }
  };
}

function field(label, attributes, change) {
  const input = make("input", { ...attributes, "aria-label": label, input: () => change(input.value) });
  return { input, node: make("label", {}, `${label} `, input) };
}

function choice(label, options, change) {
  const select = make("select", { "aria-label": label, change: () => change(select.value) },
    ...options.map(([value, text]) => make("option", { value }, text)));
  return { input: select, node: make("label", {}, `${label} `, select) };
}

function button(text, click) {
  return make("button", { type: "button", click }, text);
}

// From -1 (blue) by way of grey to 1 (orange), which readers of all kinds of colour vision tell apart.
function diverging(t) {
  const strength = Math.min(Math.abs(t), 1), to = t < 0 ? [0, 114, 178] : [213, 94, 0];
  return `rgb(${to.join(" ")} / ${(0.85 * strength).toFixed(3)})`;
}

function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function bars(rows, click) {
  const most = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-9);
  return make("div", { class: "bars" }, ...rows.flatMap(([name, value, text]) => {
    const bar = make("i");
    bar.style.width = `${(100 * Math.abs(value)) / most}%`;
    const label = click ? button(name, () => click(name)) : make("code", {}, name);
    return [label, make("span", {}, bar), make("span", {}, text)];
  }));
}

function visible(symbol) {
  return symbol === "\n" ? "⏎" : symbol === " " ? "␣" : symbol;
}

// A square canvas over the plane from -reach to reach. draw(pen, x, y): x and y turn places into pixels.
// move(x, y): somebody pointed there, by mouse, finger, or the arrow keys.
class PlaneView {
  constructor(size, reach, label, move) {
    this.size = size;
    this.reach = reach;
    this.at = [0, 0];
    this.canvas = make("canvas", { class: "map", width: size, height: size, tabindex: 0, role: "application", "aria-label": label });
    this.pen = this.canvas.getContext("2d");
    if (move) this.listen(move);
  }

  x(value) { return ((value + this.reach) / (2 * this.reach)) * this.size; }
  y(value) { return ((this.reach - value) / (2 * this.reach)) * this.size; }

  listen(move) {
    let down = false;
    const go = (event) => {
      const box = this.canvas.getBoundingClientRect();
      this.at = [((event.clientX - box.left) / box.width * 2 - 1) * this.reach, (1 - (event.clientY - box.top) / box.height * 2) * this.reach];
      move(...this.at);
    };
    this.canvas.addEventListener("pointerdown", (event) => { down = true; this.canvas.setPointerCapture(event.pointerId); go(event); });
    this.canvas.addEventListener("pointermove", (event) => { if (down) go(event); });
    this.canvas.addEventListener("pointerup", () => { down = false; });
    this.canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!by) return;
      event.preventDefault();
      this.at = this.at.map((value, i) => Math.min(Math.max(value + (by[i] * this.reach) / 25, -this.reach), this.reach));
      move(...this.at);
    });
  }

  // The canvas, with what stands below it, no wider than it.
  board(...below) {
    const node = make("div", { class: "board" }, this.canvas, ...below);
    node.style.maxWidth = `${this.size + 2}px`;
    return node;
  }

  clear() { this.pen.clearRect(0, 0, this.size, this.size); }

  mark(x, y) {
    this.at = [x, y];
    for (const [colour, width] of [["--paper", 6], ["--c1", 3]]) {
      this.pen.strokeStyle = ink(colour);
      this.pen.lineWidth = width;
      this.pen.beginPath();
      this.pen.arc(this.x(x), this.y(y), 8, 0, 2 * Math.PI);
      this.pen.stroke();
    }
  }
}

// A slider over frames with play, pause and step; show(i) draws one.
function player(count, show) {
  let timer = null;
  const slider = make("input", { type: "range", min: 0, max: count - 1, value: 0, "aria-label": "step", input: () => go(Number(slider.value)) });
  const play = button("play", () => (timer ? stop() : start()));
  const text = make("span");
  function go(i) {
    slider.value = i;
    text.textContent = ` ${i} of ${count - 1}`;
    show(i);
  }
  function stop() { clearInterval(timer); timer = null; play.textContent = "play"; }
  function start() {
    play.textContent = "pause";
    timer = setInterval(() => {
      if (!slider.isConnected) { stop(); return; }
      const next = Number(slider.value) + 1;
      if (next >= count) { stop(); return; }
      go(next);
    }, 120);
    if (Number(slider.value) === count - 1) go(0);
  }
  go(0);
  return { node: make("p", {}, play, button("step", () => { stop(); go(Math.min(Number(slider.value) + 1, count - 1)); }), slider, text), start };
}
