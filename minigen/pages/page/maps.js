"use strict";

rooms.maps = {
  title: "feature maps",
  async build(place, run) {
    const path = `${run.base}/rooms/maps`, about = await ask(path);
    const image = make("img", { class: "big", alt: "the image" }), said = make("div"), maps = make("div"), wrong = alarm(), nowhere = alarm();
    const sum = make("div", { "aria-live": "polite" });
    let output = -1, what = "picture", at = null, found = null, spots = [];
    const which = field("test image", { type: "number", min: 0, max: about.images - 1, value: 0 }, () => show());
    const outputs = choice("gradients of", [[-1, "the largest output"], ...(about.outputs || []).map((name, i) => [i, name])], (value) => { output = value; show(); });
    const kind = choice("show", [["picture", "values"], ["gradient", "gradients"]], (value) => { what = value; draw(); });

    const show = latest(async () => {
      found = await ask(path, { image: which.input.value, output });
      image.src = found.picture;
      const label = found.label === null ? "" : `class ${about.outputs ? about.outputs[found.label] : found.label}`;
      said.replaceChildren(make("p", {}, label));
      if (found.probabilities) said.append(bars(found.probabilities.map((p, i) => [about.outputs[i], p, `${(100 * p).toFixed(1)} %`])));
      draw();
      const first = found.maps.find((one) => one.largest);
      if (!at && first) at = { layer: first.layer, ...first.largest };
      if (at) explain(at);
    }, wrong);
    const explain = latest(async (where) => {
      const number = await ask(path, { image: which.input.value, output, ...where });
      at = where;
      for (const one of places) one.input.value = where[one.input.getAttribute("aria-label")] ?? 0;
      for (const spot of spots) spot(where);
      sum.replaceChildren(...arithmetic(number), ...brighter(number));
    }, nowhere);

    // Nothing comes of a number that is 0: a way to one that is not.
    function brighter(number) {
      const { largest } = found.maps[number.layer];
      if (number.value !== 0 || !largest) return [];
      return [make("p", {}, "It is 0. ", button("look at the largest of this layer", () => explain({ layer: number.layer, ...largest })))];
    }

    function draw() {
      const drawn = found.maps.map((one) => layerOf(one, what, explain));
      spots = drawn.map((one) => one.spot);
      maps.replaceChildren(...drawn.map((one) => one.node));
      if (at) for (const spot of spots) spot(at);
    }

    const places = ["layer", "channel", "row", "column"].map((name) => field(name, { type: "number", min: 0, value: 0 }, () => {}));
    const go = button("explain", () => explain(Object.fromEntries(places.map(({ input }) => [input.getAttribute("aria-label"), input.value]))));
    place.append(make("div", { class: "maps" },
      make("div", { class: "controls" }, which.node, outputs.node, kind.node, wrong, image, said,
        ...(about.filters ? [make("h2", {}, "Filters of the first layer"), make("img", { class: "strip", src: about.filters, alt: "filters" })] : [])),
      make("div", {}, make("p", { class: "hint" }, "Click a pixel of a map: the arithmetic that made it, and its gradient's way back."), maps),
      make("div", { class: "explained" }, sum, make("details", {}, make("summary", {}, "another one, by its place"), make("div", { class: "places" }, ...places.map((one) => one.node), go, nowhere)))));
    await show();
  },
};

// One layer, as a sheet of maps or a row of numbers; spot(where) marks a number, and takes the mark off others.
function layerOf(one, what, click) {
  const title = make("h3", {}, `${one.layer}: ${one.name} → ${one.shape.join(" × ")}`), node = make("div", { class: "layer" }, title);
  if (one.picture) {
    const sheet = make("img", { src: one[what], alt: `maps of layer ${one.layer}`, click: (event) => click(placeOf(event, sheet, one)) });
    const mark = make("i", { hidden: true });
    node.append(make("div", { class: "sheet" }, sheet, mark));
    return { node, spot: (where) => markOn(mark, one, where) };
  }
  const numbers = (one.numbers || []).map((value, channel) => button(number(value), () => click({ layer: one.layer, channel })));
  if (numbers.length) node.append(make("p", {}, ...numbers));
  const spot = (where) => numbers.forEach((some, i) => some.setAttribute("aria-pressed", one.layer === Number(where.layer) && i === Number(where.channel)));
  return { node, spot };
}

// Maps stand side by side in a sheet with a gap of one pixel; how large that is.
function sheetOf({ shape: [height, width, channels], columns, most }) {
  return { width, height, columns, across: columns * (width + 1) + 1, down: Math.ceil(Math.min(channels, most) / columns) * (height + 1) + 1 };
}

// Which pixel of which map was clicked.
function placeOf(event, img, one) {
  const box = img.getBoundingClientRect(), sheet = sheetOf(one), { width, height, columns } = sheet;
  const x = ((event.clientX - box.left) / box.width) * sheet.across - 1, y = ((event.clientY - box.top) / box.height) * sheet.down - 1;
  const across = Math.min(Math.max(Math.floor(x / (width + 1)), 0), columns - 1), down = Math.max(Math.floor(y / (height + 1)), 0);
  const inside = (value, size) => Math.min(Math.max(Math.floor(value), 0), size - 1);
  return {
    layer: one.layer, channel: Math.min(down * columns + across, one.shape[2] - 1),
    row: inside(y - down * (height + 1), height), column: inside(x - across * (width + 1), width),
  };
}

function markOn(mark, one, where) {
  const { width, height, columns, across, down } = sheetOf(one), channel = Number(where.channel);
  mark.hidden = one.layer !== Number(where.layer) || channel >= one.most;
  if (mark.hidden) return;
  const left = 1 + (channel % columns) * (width + 1) + Number(where.column), top = 1 + Math.floor(channel / columns) * (height + 1) + Number(where.row);
  const share = (part, whole) => `${(100 * part) / whole}%`;
  Object.assign(mark.style, { left: share(left, across), top: share(top, down), width: share(1, across), height: share(1, down) });
}

function arithmetic(one) {
  const lines = (some) => some.flatMap((line) => line.text ? [make("p", {}, line.text)] : [make("p", { class: "hint" }, line.title), grid(line.table)]);
  return [
    make("p", {}, make("b", {}, `${one.value.toPrecision(4)}`), ` at ${one.at.length === 3 ? `row ${one.at[0]}, column ${one.at[1]} of map ${one.at[2]}` : `place ${one.at}`} of layer ${one.layer}, ${one.name}`),
    make("h2", {}, "Forward"), ...lines(one.forward),
    make("h2", {}, "Backward"), make("p", {}, `The gradient of the output by it is g = ${one.gradient.toPrecision(4)}.`), ...lines(one.backward),
  ];
}

function grid(rows) {
  const most = Math.max(...rows.flat().map((value) => Math.abs(value ?? 0)), 1e-12);
  return make("div", { class: "scroll" }, make("table", { class: "sum" }, ...rows.map((row) => make("tr", {}, ...row.map((value) => {
    const cell = make("td", {}, value === null ? "·" : number(value));
    cell.style.backgroundColor = value === null ? "" : diverging(value / most);
    return cell;
  })))));
}
