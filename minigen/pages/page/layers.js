"use strict";

rooms.layers = {
  title: "layers",
  async build(place, run) {
    const { rounds } = await ask(`${run.base}/layers`);
    const shown = make("div", { class: "ridge" });
    let kind = "weights";
    const kinds = choice("show", ["weights", "gradients", "outputs"].map((name) => [name, name]), (value) => { kind = value; draw(); });
    function draw() {
      const names = [...new Set(rounds.flatMap((round) => Object.keys(round[kind])))];
      shown.replaceChildren(...names.map((name) => ridge(name, rounds.filter((round) => round[kind][name]).map((round) => [round.step, round[kind][name]]))));
      if (!names.length) shown.replaceChildren(make("p", {}, "nothing was noted of these"));
    }
    draw();
    place.append(make("p", { class: "hint" }, "How the numbers of each layer are spread: one line a round of the training, the latest below. Outputs are those of the training step that ended the round."), kinds.node, shown);
  },
};

// Histograms of one layer, one above the other: rows of [step, [low, high, counts…]].
function ridge(name, rows) {
  const low = Math.min(...rows.map(([, some]) => some[0])), high = Math.max(...rows.map(([, some]) => some[1]));
  if (!Number.isFinite(high - low)) return make("figure", {}, make("figcaption", {}, `${name}: from ${number(low)} to ${number(high)}`));
  const across = high - low || 1, height = Math.min(14, 150 / rows.length), width = 220;
  const svg = make("svg", { viewBox: `0 0 ${width} ${height * rows.length + 34}`, role: "img", "aria-label": `${name}, from ${number(low)} to ${number(high)}` });
  rows.forEach(([step, [from, to, ...counts]], i) => {
    const most = Math.max(...counts, 1), base = 18 + height * (i + 1), part = (to - from || across / 50) / counts.length;
    const x = (place) => (((place - low) / across) * width).toFixed(1);
    const points = counts.map((count, j) => `L${x(from + (j + 0.5) * part)},${(base - (count / most) * (height + 8)).toFixed(1)}`);
    const shape = make("path", { class: "ridge-line", d: `M${x(from)},${base}${points.join("")}L${x(to)},${base}Z` });
    shape.style.fillOpacity = 0.25 + (0.6 * (i + 1)) / rows.length;
    shape.append(make("title", {}, `step ${step}: ${number(from)} to ${number(to)}`));
    svg.append(shape);
  });
  const foot = 18 + height * rows.length + 12;
  svg.append(make("text", { x: 0, y: foot }, number(low)), make("text", { x: width, y: foot, "text-anchor": "end" }, number(high)));
  return make("figure", { class: "chart" }, make("figcaption", {}, name), svg);
}
