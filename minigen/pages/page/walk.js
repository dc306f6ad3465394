"use strict";

rooms.walk = {
  title: "step by step",
  async build(place, run) {
    const path = `${run.base}/rooms/walk`, about = await ask(path);
    const image = make("img", { class: "strip", alt: "what the noise is by now" }), film = make("div");
    const fields = {
      seed: field("seed", { type: "number", min: 0, value: 0 }, () => {}),
      n: field("images", { type: "number", min: 1, max: about.most, value: 5 }, () => {}),
      steps: field("steps", { type: "number", min: 1, max: about.steps, value: 25 }, () => {}),
      sampler: choice("sampler", about.samplers.map((name) => [name, name]), () => {}),
    };
    if (about.classes.length) {
      fields.class = choice("class", [[-1, "all in turn"], ...about.classes.map((name, i) => [i, name])], () => {});
      fields.guidance = field("guidance", { type: "number", min: -10, max: 20, step: 0.5, value: 1 }, () => {});
    }
    const wrong = alarm(), busy = make("span", { class: "hint", role: "status" });
    const go = latest(async () => {
      busy.textContent = " walking …";
      const began = performance.now();
      const query = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.input.value]));
      try {
        const { frames } = await ask(path, query);
        const seconds = (performance.now() - began) / 1000;
        const played = player(frames.length, (i) => { image.src = frames[i]; });
        film.replaceChildren(played.node);
        played.start();
        busy.textContent = ` ${frames.length - 1} steps in ${seconds.toFixed(1)} s`;
      } catch (error) {
        busy.textContent = "";
        throw error;
      }
    }, wrong);
    const controls = make("div", { class: "controls" }, ...Object.values(fields).map((one) => one.node), button("walk", () => go()), busy, wrong);
    place.append(make("div", { class: "room" }, controls, make("div", { class: "wide" }, image, film,
      make("p", { class: "hint" }, "Noise at step 0; after each step a little less of it. The last is the sample."))));
    await go();
  },
};
