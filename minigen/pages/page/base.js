"use strict";
// What both pages share: making nodes, and the overview of one or more runs. The charts are in charts.js.
// Everything that comes from a run is put in as text or as an attribute, never as HTML.

const COLORS = 10; // in base.css
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

// One row a name, one column a run; words(name) stand at the end of a row.
function table(runs, field, names, words = null) {
  const rows = names.map((name) => {
    const said = words ? [make("td", { class: "hint words" }, words(name) || "")] : [];
    return make("tr", {}, make("th", {}, name.replaceAll("_", " ")), ...runs.map((run) => make("td", {}, run[field][name] ?? "–")), ...said);
  });
  const head = make("tr", {}, make("th"), ...runs.map((run) => make("th", {}, run.name)), ...(words ? [make("th")] : []));
  return make("div", { class: "scroll" }, make("table", { class: field }, ...(runs.length > 1 ? [head] : []), ...rows));
}

function namesIn(runs, field) {
  return [...new Set(runs.flatMap((run) => Object.keys(run[field])))];
}

function results(runs) {
  const names = namesIn(runs, "results");
  if (!names.length) return [];
  const meant = (name) => runs.map((run) => run.meanings[name]).find(Boolean);
  const beside = runs.map((run) => run.beside).find(Boolean);
  return [section("Results", table(runs, "results", names, meant), ...(beside ? [make("p", { class: "hint" }, beside)] : []))];
}

function recipe(run) {
  return section("Recipe", make("div", { class: "columns" }, table([run], "recipe", namesIn([run], "recipe"))));
}

function recipes(runs, state) {
  const names = namesIn(runs, "recipe");
  const differ = names.filter((name) => new Set(runs.map((run) => run.recipe[name] ?? "–")).size > 1);
  const same = names.filter((name) => !differ.includes(name));
  const rest = make("details", { open: state.same, toggle: () => { state.same = rest.open; } },
    make("summary", { id: "same" }, `${same.length} fields are the same`), table([runs[0]], "recipe", same));
  return section("What differs in their recipes", differ.length ? table(runs, "recipe", differ) : make("p", {}, "nothing"), rest);
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
    caption.textContent = shown.every((run) => run.drawn) ? `drawn now, by the model as it was saved after step ${step.toLocaleString("en")}`
      : ` after step ${step.toLocaleString("en")} of ${last.toLocaleString("en")}`;
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
  return [section("Samples", make("p", {}, ...(steps.length > 1 ? [slider] : []), caption), row)];
}

// ---------------------------------------------------------------- pictures

function pictures(runs) {
  const found = runs.flatMap((run) => run.pictures.map(({ name, source }) => {
    const label = (runs.length > 1 ? `${run.name}: ` : "") + name;
    return make("button", { type: "button", class: "thumb", "aria-label": label, click: () => enlarge(label, source) }, make("img", { src: source, alt: "" }), label);
  }));
  return found.length ? [section("Pictures", make("p", { class: "hint" }, "click one, or go there and press Enter, to see it large"), make("div", { class: "thumbs" }, ...found))] : [];
}

function enlarge(label, source) {
  const shown = make("dialog", { class: "large", "aria-label": label, click: () => shown.close(), close: () => shown.remove() },
    make("p", {}, label, " ", make("button", { type: "button" }, "close")), make("img", { src: source, alt: label }));
  document.body.append(shown);
  shown.showModal();
}

// ---------------------------------------------------------------- the overview

// What the reader has set, which stays when a run goes on and its overview is drawn anew. sample: a step, or the last;
// same: whether the fields in which recipes agree are shown.
function freshState() {
  return { smooth: 0.6, log: false, windows: {}, range: null, sample: null, same: false };
}

function overview(runs, state) {
  const damaged = runs.flatMap((run) => run.problems || []);
  const found = damaged.length ? [section("What can not be shown", ...damaged.map((text) => make("p", { class: "alarm" }, text)))] : [];
  found.push(...runs.filter((run) => run.alarms).map((run) => section("What the training said",
    make("pre", { class: "alarms" }, run.alarms))));
  if (runs.length > 1) found.push(recipes(runs, state));
  found.push(...results(runs), ...samples(runs, state), ...curves(runs, state), ...pictures(runs));
  if (runs.length === 1) found.push(recipe(runs[0]));
  return found;
}
