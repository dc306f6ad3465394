"use strict";

rooms.maps = {
  title: "feature maps",
  async build(place, run) {
    const path = `${run.base}/rooms/maps`, about = await ask(path);
    const image = make("img", { class: "big", alt: "the image" }), said = make("div"), maps = make("div", { class: "wide" });
    const sum = make("div", { "aria-live": "polite" }, make("p", { class: "hint" }, "Click a pixel of a map: the arithmetic that made it, and its gradient's way back."));
    let output = -1, what = "picture", at = null, found = null;
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
      if (at) explain(at);
    });
    const explain = latest(async (where) => {
      at = where;
      const number = await ask(path, { image: which.input.value, output, ...where });
      sum.replaceChildren(...arithmetic(number));
    });

    function draw() {
      maps.replaceChildren(...found.maps.map((one) => {
        const title = make("h3", {}, `${one.layer}: ${one.name} → ${one.shape.join(" × ")}`);
        if (one.picture) {
          const sheet = make("img", { src: one[what], alt: `maps of layer ${one.layer}` });
          sheet.addEventListener("click", (event) => explain(placeOf(event, sheet, one)));
          return make("div", { class: "layer" }, title, sheet);
        }
        if (!one.numbers) return make("div", { class: "layer" }, title);
        const numbers = one.numbers.map((value, channel) => button(number(value), () => explain({ layer: one.layer, channel })));
        return make("div", { class: "layer" }, title, make("p", {}, ...numbers));
      }));
    }

    const places = ["layer", "channel", "row", "column"].map((name) => field(name, { type: "number", min: 0, value: 0 }, () => {}));
    const go = button("explain", () => explain(Object.fromEntries(places.map(({ input }) => [input.getAttribute("aria-label"), input.value]))));
    place.append(make("div", { class: "room" },
      make("div", { class: "controls" }, which.node, outputs.node, kind.node, image, said,
        ...(about.filters ? [make("h2", {}, "Filters of the first layer"), make("img", { class: "strip", src: about.filters, alt: "filters" })] : [])),
      maps, make("div", { class: "controls" }, make("h2", {}, "One number"), ...places.map((one) => one.node), go, sum)));
    await show();
  },
};

// Which pixel of which map was clicked, in a sheet of maps with a gap of one pixel.
function placeOf(event, sheet, one) {
  const box = sheet.getBoundingClientRect(), [height, width, channels] = one.shape;
  const x = ((event.clientX - box.left) / box.width) * sheet.naturalWidth - 1, y = ((event.clientY - box.top) / box.height) * sheet.naturalHeight - 1;
  const across = Math.min(Math.max(Math.floor(x / (width + 1)), 0), one.columns - 1), down = Math.max(Math.floor(y / (height + 1)), 0);
  const inside = (value, size) => Math.min(Math.max(Math.floor(value), 0), size - 1);
  return {
    layer: one.layer, channel: Math.min(down * one.columns + across, channels - 1),
    row: inside(y - down * (height + 1), height), column: inside(x - across * (width + 1), width),
  };
}

function arithmetic(one) {
  const lines = (some) => some.flatMap((line) => line.text ? [make("p", {}, line.text)] : [make("p", { class: "hint" }, line.title), grid(line.table)]);
  return [
    make("p", {}, make("b", {}, `${one.value.toPrecision(4)}`), ` at ${one.at.join(", ")} of layer ${one.layer}, ${one.name}`),
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
