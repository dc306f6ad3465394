"use strict";

const plane = {
  async build(place) {
    const view = new PlaneView(520, 2, "the plane: data, samples, and what the discriminator says", null);
    const fact = make("p", { role: "status" }), wrong = alarm();
    const losses = { discriminator: [[0, null]], generator: [[0, null]] };
    const chart = new Chart({ title: "losses", names: Object.keys(losses) }, [{ curves: losses }], freshState());
    let playing = false;
    const game = Math.random().toString(36).slice(2);
    function pause() {
      playing = false;
      play.textContent = "play";
    }
    const fields = {
      data: choice("data", [["eight", "eight clusters"], ["ring", "a ring"], ["two", "two clusters"], ["line", "a line"]], () => fresh()),
      loss: choice("loss", ["non-saturating", "minimax", "least-squares", "hinge"].map((name) => [name, name]), () => fresh()),
      g_lr: field("generator's learning rate", { type: "number", min: 0.000001, max: 1, step: "any", value: 0.001 }, () => fresh()),
      d_lr: field("discriminator's learning rate", { type: "number", min: 0.000001, max: 1, step: "any", value: 0.003 }, () => fresh()),
      seed: field("seed", { type: "number", min: 0, value: 0 }, () => fresh()),
    };
    const steps = field("steps at once", { type: "number", min: 1, max: 200, value: 10 }, () => {});
    const fresh = latest(async () => {
      const chosen = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.input.value]));
      const found = await ask("api/plane", { game, do: "new", ...chosen });
      for (const points of Object.values(losses)) points.splice(0, points.length, [0, null]);
      draw(found);
    }, wrong);
    const step = latest(async () => {
      try {
        draw(await ask("api/plane", { game, do: "step", n: steps.input.value }));
      } catch (error) {
        pause();
        throw error;
      }
      if (playing && view.canvas.isConnected) setTimeout(step, 30);
    }, wrong);
    const play = button("play", () => {
      playing = !playing;
      play.textContent = playing ? "pause" : "play";
      if (playing) step();
    });

    function draw(found) {
      const pen = view.pen, side = found.field.length, unit = view.size / (side - 1);
      view.clear();
      found.field.forEach((row, i) => row.forEach((value, j) => {
        pen.fillStyle = diverging(1 - 2 * value);
        const [left, right] = [j - 0.5, j + 0.5].map((at) => Math.round(at * unit));
        const [top, bottom] = [i + 0.5, i - 0.5].map((at) => Math.round(view.size - at * unit));
        pen.fillRect(left, top, right - left, bottom - top);
      }));
      const dots = (points, colour, shape) => points.forEach(([x, y]) => {
        pen.fillStyle = pen.strokeStyle = ink(colour);
        pen.lineWidth = 1.5;
        pen.beginPath();
        if (shape === "disc") pen.arc(view.x(x), view.y(y), 3, 0, 2 * Math.PI);
        else pen.rect(view.x(x) - 3, view.y(y) - 3, 6, 6);
        if (shape === "disc") pen.fill(); else pen.stroke();
      });
      dots(found.real, "--c2", "disc");
      dots(found.fake, "--c3", "square");
      const longest = Math.max(...found.arrows.map(([x, y]) => Math.hypot(x, y)), 1e-9);
      pen.strokeStyle = ink("--ink");
      pen.lineWidth = 1;
      found.arrows.forEach(([x, y], i) => {
        const [a, b] = found.fake[i], scale = 0.35 / longest;
        pen.beginPath();
        pen.moveTo(view.x(a), view.y(b));
        pen.lineTo(view.x(a + scale * x), view.y(b + scale * y));
        pen.stroke();
      });
      const [d, g] = found.losses.map((loss) => (found.step === 0 ? "–" : loss === null ? "not finite" : loss.toFixed(3)));
      fact.textContent = `step ${found.step} · discriminator's loss ${d} · generator's loss ${g}`;
      if (found.step) Object.values(losses).forEach((points, i) => note(points, found.step, found.losses[i]));
      chart.draw();
    }

    // One point more; of too many, every second one goes.
    function note(points, step, loss) {
      points.push([step, loss]);
      if (points.length > 2000) points.splice(0, points.length, ...points.filter((_, i) => i % 2 === 0));
    }

    place.append(make("div", { class: "room" },
      view.board(fact),
      make("div", { class: "controls" }, make("p", {}, play, button("step", () => { pause(); step(); }), button("begin again", () => fresh())),
        steps.node, ...Object.values(fields).map((one) => one.node), wrong, chart.box,
        make("p", { class: "hint" }, "Discs: the data. Squares: samples. Blue: where the discriminator takes a point for data; orange: for a sample. Lines: where the generator's loss pulls each sample, the longest as long as the strongest pull. Give both players one learning rate, and most of the clusters are lost."))));
    await fresh();
  },
};
