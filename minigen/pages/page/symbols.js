"use strict";

const READ = 1000; // characters of a prompt that are sent, the last ones

rooms.symbols = {
  title: "next symbols",
  async build(place, run) {
    const path = `${run.base}/rooms/symbols`, about = await ask(path);
    const text = make("textarea", { "aria-label": "prompt", spellcheck: "false" });
    text.value = about.example;
    const next = make("div"), read = make("div", { class: "coloured" }), fact = make("p", { class: "hint" }), heads = make("div"), wrong = alarm();
    const temperature = field("temperature", { type: "number", min: 0, max: 10, step: 0.1, value: 0.8 }, () => {});
    let seed = 0, cell = -1, colouring = "surprise";

    const show = latest(async () => {
      const found = await ask(path, { prompt: text.value.slice(-READ), cell });
      next.replaceChildren(bars(found.next.map(([symbol, p]) => [visible(symbol), p, `${(100 * p).toFixed(1)} %`]), (symbol) => {
        add(symbol === "⏎" ? "\n" : symbol === "␣" ? " " : symbol);
        show();
      }));
      fact.textContent = `entropy of the next symbol: ${found.entropy.toFixed(2)} nats; ${found.symbols.length} symbols read, of ${about.longest} at most`;
      colour(found);
      if (found.attention) heads.replaceChildren(attention(found));
      if (found.varied && !pick.input.options.length) {
        pick.input.append(...found.varied.map((number) => make("option", { value: number }, `cell ${number}`)));
      }
    }, wrong);
    const write = latest(async () => {
      const before = text.value;
      const found = await ask(path, { prompt: before.slice(-READ), write: 100, seed: seed++, temperature: temperature.input.value });
      if (text.value === before) add(found.text);
      show();
    }, wrong);

    function add(more) {
      text.value += more;
      grow();
      text.scrollTop = text.scrollHeight;
    }

    // As high as its text, up to the highest that CSS allows.
    function grow() {
      text.style.height = "auto";
      text.style.height = `${text.scrollHeight + 2}px`;
    }

    function colour(found) {
      const values = colouring === "cell" ? found.values : found.surprise;
      read.replaceChildren(...found.symbols.map((symbol, i) => {
        const value = values[i], node = make("span", {}, symbol === "\n" ? "⏎\n" : symbol);
        if (value === null) return node;
        node.title = colouring === "cell" ? `${value.toFixed(2)}` : `${value.toFixed(2)} nats`;
        node.style.backgroundColor = diverging(colouring === "cell" ? value : value / 6);
        return node;
      }));
    }

    const kinds = [["surprise", "how surprising each symbol was"]];
    if (about.cells) kinds.push(["cell", "what a cell held after it"]);
    const how = choice("colour", kinds, (value) => { colouring = value; show(); });
    const pick = choice("cell", [], (value) => { cell = value; onCells(); });
    const number = field("number", { type: "number", min: 0, max: (about.cells || 1) - 1, value: 0 }, (value) => { cell = value; onCells(); });
    function onCells() {
      colouring = how.input.value = "cell";
      show();
    }
    const tools = make("div", { class: "controls" }, how.node, ...(about.cells ? [pick.node, number.node] : []));
    text.addEventListener("input", () => { grow(); show(); });
    place.append(make("div", { class: "room" },
      make("div", { class: "wide" }, text, wrong, make("p", {}, button("write on", () => write()), " ", temperature.node), fact, tools, read),
      make("div", {}, make("h2", {}, "What may come next"), next)), heads);
    grow();
    await show();
  },
};

// Every head of every layer: row i shows where symbol i looked.
function attention(found) {
  const shown = found.attention[0][0].length, symbols = found.symbols.slice(-shown);
  const pointed = make("p", { class: "hint", role: "status" }, "Point at a head, or go there by tabulator and arrow keys: who looked at whom.");
  const layers = found.attention.map((heads, layer) => make("div", { class: "heads" }, ...heads.map((weights, head) => {
    const size = Math.max(120, Math.min(220, 4 * shown)), canvas = make("canvas", { width: size, height: size, tabindex: 0, role: "img", "aria-label": `layer ${layer}, head ${head}` });
    const pen = canvas.getContext("2d"), unit = size / shown;
    weights.forEach((row, i) => row.forEach((weight, j) => {
      if (weight < 0.004) return;
      pen.fillStyle = diverging(Math.sqrt(weight));
      pen.fillRect(j * unit, i * unit, Math.ceil(unit), Math.ceil(unit));
    }));
    let at = [shown - 1, shown - 1];
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      tell([event.clientX - box.left, event.clientY - box.top].map((place) => Math.floor((place / box.width) * shown)));
    });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!by) return;
      event.preventDefault();
      tell(at.map((place, axis) => place + by[axis]));
    });
    function tell(places) {
      const [j, i] = (at = places.map((place) => Math.min(Math.max(place, 0), shown - 1)));
      pointed.textContent = `“${visible(symbols[i])}” (number ${i}) looked at “${visible(symbols[j])}” (number ${j}) with ${(100 * weights[i][j]).toFixed(1)} %`;
    }
    return make("figure", {}, make("figcaption", {}, `layer ${layer}, head ${head}`), canvas);
  })));
  return section("Where it looked", pointed, ...layers);
}
