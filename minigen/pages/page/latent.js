"use strict";

rooms.latent = {
  title: "latent space",
  async build(place, run) {
    const path = `${run.base}/rooms/latent`, about = await ask(path);
    const image = make("img", { class: "big", alt: "what is decoded here" });
    const original = make("img", { class: "big", alt: "the test image", hidden: true });
    const fact = make("p", { class: "hint" }), wrong = alarm(), lattice = new Image();
    let label = 0;
    const told = (query) => (about.classes.length ? { ...query, class: label } : query);
    const map = new PlaneView(440, about.reach, "map of the latent space; drag, or use the arrow keys", (x, y) => show({ x, y }));
    const sliders = about.sliders.map((axis, i) => sliderOf(axis, about.spread[i], () => show({ z: z.join(",") })));
    let z = new Array(about.size).fill(0);

    const show = latest(async (query) => {
      const began = performance.now();
      const found = await ask(path, told(query));
      image.src = found.picture;
      original.hidden = !found.original;
      if (found.original) original.src = found.original;
      if (found.z) z = found.z;
      for (const one of sliders) one.set(z[one.axis]);
      if (!("x" in query)) map.at = found.at; // where somebody points, the map is ahead of the answer
      drawMap();
      fact.textContent = `at (${found.at.map((value) => value.toFixed(2)).join(", ")}) of the map; ${Math.round(performance.now() - began)} ms`;
    }, wrong);

    const filled = make("input", { type: "checkbox", checked: about.filled, change: () => fill() });
    const fill = latest(async () => {
      if (filled.checked) {
        lattice.src = (await ask(path, told({ lattice: 1 }))).picture;
        await lattice.decode();
      }
      drawMap();
    }, wrong);

    function sliderOf(axis, spread, change) {
      const bound = Math.max(3 * spread, 1e-3), value = make("span", {}, "0");
      const input = make("input", { type: "range", min: -bound, max: bound, step: bound / 100, value: 0, "aria-label": `hidden number ${axis}` });
      input.addEventListener("input", () => { z[axis] = Number(input.value); change(); });
      const set = (number) => { input.value = number; value.textContent = number.toFixed(2); };
      return { axis, set, node: make("label", {}, `z${axis}`, input, value) };
    }

    function drawMap() {
      const pen = map.pen;
      map.clear();
      if (filled.checked && lattice.complete && lattice.naturalWidth) {
        pen.imageSmoothingEnabled = false;
        pen.drawImage(lattice, 0, 0, map.size, map.size);
      } else writePoints(pen);
      map.mark(...map.at);
    }

    function writePoints(pen) {
      pen.font = "11px sans-serif";
      pen.textAlign = "center";
      about.points.forEach(([x, y], i) => {
        const number = about.labels ? about.labels[i] : 0;
        pen.fillStyle = ink(`--c${number % COLORS}`);
        if (about.labels) pen.fillText(String(number), map.x(x), map.y(y) + 4);
        else pen.fillRect(map.x(x) - 1, map.y(y) - 1, 3, 3);
      });
    }

    const controls = make("div", { class: "controls" });
    if (about.classes.length) {
      const classes = choice("class", about.classes.map((name, i) => [i, name]), (value) => {
        label = value;
        show({ x: map.at[0], y: map.at[1] });
        fill();
      });
      controls.append(classes.node);
    }
    let seed = 0;
    controls.append(button("draw at random", () => show({ seed: seed++ })));
    if (about.encodes) {
      controls.append(field("test image", { type: "number", min: 0, max: about.images - 1, value: 0 }, (value) => show({ image: value })).node);
    }
    controls.append(wrong);
    const count = sliders.length < about.size ? `${sliders.length} of the ${about.size} hidden numbers` : "the hidden numbers";
    const numbers = sliders.length ? [make("p", { class: "hint" }, count + (about.encodes ? ", those that differ most first" : "")),
      make("div", { class: "sliders" }, ...sliders.map((one) => one.node))] : [];
    const slow = !about.filled && !about.points.length;
    const legend = about.points.length ? "Test images, each written as its class, on the plane in which their codes differ most. Drag: what the decoder makes of the place."
      : `A plane in the space of noise. Drag: what becomes of the place.${sliders.length ? " In its middle all numbers are near 0, where noise hardly ever lies." : ""}`;
    place.append(make("div", { class: "room" },
      map.board(make("label", {}, filled, " show images of the places", slow ? " (takes some seconds)" : ""), make("p", { class: "hint" }, legend)),
      make("div", { class: "wide" }, make("div", { class: "room" }, make("div", {}, image, original, fact), controls), ...numbers)),
    walks(path, about, () => label));
    drawMap();
    await show(about.encodes || !about.sliders.length ? { x: 0, y: 0 } : { seed: seed++ });
    if (about.filled) fill();
  },
};

function walks(path, about, label) {
  const strip = make("img", { class: "strip", alt: "the walk", hidden: true }), wrong = alarm();
  const ends = ["from", "to"].map((name, i) => field(name, { type: "number", min: 0, value: i, max: about.images ? about.images - 1 : 2 ** 31 }, () => go()));
  const steps = field("steps", { type: "number", min: 2, max: 32, value: 11 }, () => go());
  const go = latest(async () => {
    const query = { from: ends[0].input.value, to: ends[1].input.value, steps: steps.input.value };
    const found = await ask(path, about.classes.length ? { ...query, class: label() } : query);
    strip.src = found.picture;
    strip.hidden = false;
  }, wrong);
  const what = about.encodes ? "From one test image to another, on a straight line between their codes." : "From one draw to another, by the numbers of their seeds.";
  return section("A walk between two", make("p", { class: "hint" }, what),
    make("p", { class: "tools" }, ...ends.map((one) => one.node), steps.node, button("walk", () => go())), wrong, strip);
}
