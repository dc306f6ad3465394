"use strict";

// Both coordinates over the whole of -1 to 1.
function spreadOut(points) {
  const ends = [0, 1].map((axis) => {
    const values = points.map((point) => point[axis]);
    return [Math.min(...values), Math.max(...values)];
  });
  return points.map((point) => point.map((value, axis) => (2 * (value - ends[axis][0])) / (ends[axis][1] - ends[axis][0] || 1) - 1));
}

rooms.words = {
  title: "words",
  async build(place, run) {
    const path = `${run.base}/rooms/words`, about = await ask(path);
    const points = spreadOut(about.points), map = new PlaneView(560, 1.06, "map of the words; click one", (x, y) => pick(x, y));
    const places = new Map(about.words.map((word, i) => [word, points[i]]));
    const near = make("div"), wrong = alarm(), known = make("datalist", { id: "known" }, ...about.words.map((word) => make("option", { value: word })));
    const question = make("input", { type: "search", list: "known", "aria-label": "a word, or a sum of words", size: 32 });
    const solvable = ["king", "man", "woman"].every((word) => places.has(word));
    question.value = solvable ? "king - man + woman" : about.words[Math.floor(about.words.length / 2)];

    const show = latest(async () => {
      if (!question.value.trim()) return;
      let found;
      try {
        found = await ask(path, { prompt: question.value });
      } catch (error) { // what was near to another word is no answer
        near.replaceChildren();
        draw([], []);
        throw error;
      }
      near.replaceChildren(bars(found.near.map(([word, cosine]) => [word, cosine, cosine.toFixed(3)]), (word) => { question.value = word; show(); }));
      draw(Object.keys(found.terms), found.near.map(([word]) => word));
    }, wrong);

    function pick(x, y) {
      let best = null, least = Infinity;
      for (const [word, [a, b]] of places) {
        const distance = (a - x) ** 2 + (b - y) ** 2;
        if (distance < least) [best, least] = [word, distance];
      }
      question.value = best;
      show();
    }

    function draw(terms, found) {
      const pen = map.pen;
      map.clear();
      pen.fillStyle = ink("--soft");
      for (const [x, y] of points) pen.fillRect(map.x(x) - 1, map.y(y) - 1, 2, 2);
      const write = (word, colour, weight) => {
        const at = places.get(word.toLowerCase());
        if (!at) return;
        pen.fillStyle = ink(colour);
        pen.font = `${weight} 13px sans-serif`;
        pen.fillText(word, Math.min(map.x(at[0]) + 3, map.size - pen.measureText(word).width), map.y(at[1]) - 3);
      };
      about.words.slice(0, 40).forEach((word) => write(word, "--soft", ""));
      found.forEach((word) => write(word, "--c0", "bold"));
      terms.forEach((word) => write(word, "--c1", "bold"));
    }

    question.addEventListener("change", () => show());
    place.append(make("div", { class: "room" },
      map.board(make("p", { class: "hint" }, `The ${about.words.length} most frequent words, on ${about.axes.join(" and ")}. Click to ask for one.`)),
      make("div", {}, make("label", {}, "a word, or a sum ", question), known, wrong, make("h2", {}, "Nearest"), near)));
    await show();
  },
};
