// Two models, run by onnxruntime-web in one thread: a classifier that reads what is drawn, and the decoder of a VAE, of
// whose hidden numbers a plane is shown. `make`, `PlaneView` and their like are those of `minigen view`.

import * as ort from "./ort/ort.js";
import { prepare, SIDE } from "./digits.js";
import { Pad } from "./pad.js";

const began = performance.now();
ort.env.wasm.numThreads = 1; // more would need headers that a plain web server does not send
ort.env.wasm.wasmPaths = { wasm: new URL("ort/ort.wasm", location.href).href };
document.getElementById("problem").hidden = true;

// Numbers of a shape into a model, and what it makes of them.
async function run(session, numbers, shape) {
  const given = { [session.inputNames[0]]: new ort.Tensor("float32", numbers, shape) };
  return (await session.run(given))[session.outputNames[0]].data;
}

// Images are channels-last: (N, H, W, C). The softmax of the logits.
async function classify(reader, pixels) {
  const logits = await run(reader, pixels, [1, SIDE, SIDE, 1]), most = Math.max(...logits);
  const powers = Array.from(logits, (value) => Math.exp(value - most)), sum = powers.reduce((a, b) => a + b);
  return powers.map((value) => value / sum);
}

function picture(label, big = false) {
  const canvas = make("canvas", { class: big ? "pixels big" : "pixels", width: SIDE, height: SIDE, role: "img", "aria-label": label });
  const pen = canvas.getContext("2d"), image = pen.createImageData(SIDE, SIDE);
  function show(pixels) {
    pixels.forEach((value, i) => image.data.set([value * 255, value * 255, value * 255, 255], 4 * i));
    pen.putImageData(image, 0, 0);
  }
  show(new Float32Array(SIDE * SIDE));
  return { canvas, show };
}

// ---------------------------------------------------------------- draw a digit

function chances(names) {
  const rows = names.map((name) => ({ name: make("code", {}, name), bar: make("i"), text: make("span") }));
  const node = make("div", { class: "bars" }, ...rows.flatMap((row) => [row.name, make("span", {}, row.bar), row.text]));
  function show(p) {
    rows.forEach((row, i) => {
      row.bar.style.width = `${p ? 100 * p[i] : 0}%`;
      row.text.textContent = p ? `${(100 * p[i]).toFixed(1)} %` : "–";
    });
  }
  show(null);
  return { node, show };
}

function drawing(place, reader, { classes, examples }) {
  const seen = picture("what the network is given"), bars = chances(classes);
  const answer = make("p", { class: "answer", role: "status" }, "draw something");
  const pad = new Pad(() => { if (pad.strokes.length) show(prepare(pad.strokes)); else nothing(); });
  let example = -1;

  function nothing() {
    seen.show(prepare([]));
    bars.show(null);
    answer.textContent = "draw something";
  }
  const show = latest(async (pixels, truth) => {
    seen.show(pixels);
    const p = await classify(reader, pixels), best = p.indexOf(Math.max(...p));
    if (!pad.strokes.length && truth === undefined) return; // it was cleared meanwhile
    bars.show(p);
    answer.textContent = `reads ${classes[best]}, ${(100 * p[best]).toFixed(1)} %${truth === undefined ? "" : `; it is ${truth}`}`;
  });
  function another() {
    pad.clear();
    example = (example + 1) % examples.length;
    const { label, pixels } = examples[example];
    show(Float32Array.from(pixels, (value) => value / 255), label);
  }
  const tools = make("p", { class: "tools" }, button("clear", () => pad.clear()), button("undo", () => pad.undo()), button("a test image", another));
  const hint = make("p", { class: "hint" }, "Mouse, finger, or arrow keys with space to lower and lift the pen.");
  const given = make("figure", {}, seen.canvas, make("figcaption", {}, "what the network is given: in a box of 20 × 20, its centre of mass in the middle"));
  place.append(make("div", { class: "pads" }, pad.canvas, tools, hint), make("div", { class: "seen" }, given), make("div", { class: "read" }, answer, bars.node));
}

// ---------------------------------------------------------------- a plane of hidden numbers

const FIRST = 4; // the plane that is shown at first goes through the middle of all 3s

function exploring(place, decoder, plane) {
  const image = picture("what the decoder makes of the place", true), fact = make("p", { class: "hint" });
  const middles = [plane.centre, ...plane.middles];
  let through = middles[FIRST];
  const map = new PlaneView(440, plane.span * 1.15, "plane of hidden numbers; drag, or use the arrow keys", (x, y) => show(x, y));

  // z = through + x · axes[0] + y · axes[1], counted from where `through` itself lies in the plane.
  const show = latest(async (x, y) => {
    const [x0, y0] = inPlane(through), [a, b] = plane.axes;
    const z = Float32Array.from(through, (value, i) => value + (x - x0) * a[i] + (y - y0) * b[i]);
    image.show(await run(decoder, z, [1, z.length]));
    drawMap([x, y]);
    fact.textContent = `at (${x.toFixed(2)}, ${y.toFixed(2)})`;
  });
  function inPlane(z) {
    return plane.axes.map((axis) => axis.reduce((sum, value, i) => sum + value * (z[i] - plane.centre[i]), 0));
  }
  function drawMap(at) {
    map.clear();
    map.pen.font = "11px sans-serif";
    map.pen.textAlign = "center";
    plane.points.forEach(([x, y], i) => {
      map.pen.fillStyle = ink(`--c${plane.labels[i] % COLORS}`);
      map.pen.fillText(plane.labels[i], map.x(x), map.y(y) + 4);
    });
    map.mark(...at);
  }

  const names = plane.middles.map((_, i) => [i + 1, `the middle of class ${plane.classes[i]}`]);
  const planes = choice("through", [[0, "the middle of all digits"], ...names], (value) => { through = middles[value]; show(...inPlane(through)); });
  const legend = make("p", { class: "hint" }, `Test images, each written as its class, on the plane in which their codes of ${plane.centre.length} hidden numbers differ most. Drag, or use the arrow keys: the decoder draws what lies there.`);
  const rest = make("p", { class: "hint" }, "A plane is a thin cut: the other hidden numbers stay as they are in what it goes through, so that most digits are not near it.");
  place.append(map.board(), make("div", {}, image.canvas, fact), make("div", { class: "controls" }, planes.node, legend, rest));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawMap(map.at));
  planes.input.value = FIRST;
  return show(...inPlane(through));
}

// ---------------------------------------------------------------- all of it

async function loaded(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}; build the page anew: make demo-page`);
  return answer.json();
}

try {
  const [about, reader, decoder] = await Promise.all([
    loaded("about.json"), ort.InferenceSession.create("classifier.onnx"), ort.InferenceSession.create("decoder.onnx")]);
  await classify(reader, new Float32Array(SIDE * SIDE)); // the first one takes longest
  drawing(document.getElementById("draw"), reader, about);
  await exploring(document.getElementById("plane"), decoder, about.plane);
  // For the console, and for tests.
  window.minigen = { classify: (pixels) => classify(reader, Float32Array.from(pixels)), decode: (z) => run(decoder, Float32Array.from(z), [1, z.length]), prepare };
  document.getElementById("ready").textContent = `ready after ${((performance.now() - began) / 1000).toFixed(1)} s`;
} catch (error) {
  document.getElementById("ready").textContent = "";
  complain(error);
}
