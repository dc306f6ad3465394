"use strict";
// Which page is shown stands after the # of the address: /, /plane, /run/NAME/TAB, /compare/NAME,NAME.

const main = document.getElementById("main");
const states = new Map(); // what the reader has set, by page
let known = { root: "", runs: [] }, shown = { page: "", names: [], tab: "" }, held = false, refreshList = () => {};

function title(text, under = "") {
  document.title = text;
  document.getElementById("title").textContent = text;
  document.getElementById("about").textContent = under;
}

function baseOf(name) {
  return `api/runs/${encodeURIComponent(name)}`;
}

// Draw anew, and put the focus back to the like of what had it, and the page to where it stood.
function redrawn(draw) {
  const mark = (node) => node.id || node.getAttribute("aria-label") || node.getAttribute("href");
  const active = document.activeElement, key = active && main.contains(active) ? mark(active) : null;
  const at = [scrollX, scrollY];
  draw();
  if (key) [...main.querySelectorAll("a, button, input, select, summary, [tabindex]")].find((node) => mark(node) === key)?.focus({ preventScroll: true });
  scrollTo(...at);
}

// ---------------------------------------------------------------- the list

const chosen = new Set();
let filter = "";

function differences(runs) {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run.recipe || {})))];
  return names.filter((name) => new Set(runs.map((run) => (run.recipe || {})[name])).size > 1);
}

function list() {
  const search = make("input", { type: "search", "aria-label": "only runs with", value: filter, placeholder: "only runs with …" });
  search.addEventListener("input", () => { filter = search.value; fill(); });
  const compare = button("compare the chosen ones", () => { location.hash = `#/compare/${[...chosen].map(encodeURIComponent).join(",")}`; });
  const body = make("tbody");
  function fill() {
    const own = known.runs.filter((run) => run.own || run.problem).length;
    title("minigen", own ? `${known.root}: ${own} ${own === 1 ? "run" : "runs"}, and those that come with minigen` : "no runs here yet: minigen train vae; below are those that come with minigen");
    const runs = known.runs.filter((run) => JSON.stringify(run).toLowerCase().includes(filter.toLowerCase()));
    const differ = new Map([...new Set(runs.map((run) => run.model))].map((model) => [model, differences(runs.filter((run) => run.model === model))]));
    body.replaceChildren(...runs.map((run) => entry(run, differ.get(run.model))));
    compare.disabled = chosen.size < 2;
  }
  function entry(run, names) {
    if (run.problem) return make("tr", {}, make("td"), make("td", {}, run.name), make("td", { colspan: 4 }, run.problem));
    const box = make("input", { type: "checkbox", checked: chosen.has(run.name), "aria-label": `choose ${run.name}` });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(run.name); else chosen.delete(run.name);
      compare.disabled = chosen.size < 2;
    });
    const differ = names.map((name) => `${name.replaceAll("_", "-")} ${run.recipe[name] ?? "–"}`).join(", ");
    const state = run.live ? make("span", { class: "live" }, "training") : run.trained ? "trained" : "not finished";
    return make("tr", {}, make("td", {}, box), make("td", {}, make("a", { href: `#/run/${encodeURIComponent(run.name)}` }, run.name)),
      make("td", {}, run.model), make("td", {}, run.step.toLocaleString("en")), make("td", {}, state), make("td", { class: "differ" }, differ));
  }
  refreshList = () => redrawn(fill);
  fill();
  const head = make("tr", {}, ...["", "run", "model", "steps", "state", "what differs from others of its model"].map((text) => make("th", {}, text)));
  main.replaceChildren(make("p", {}, search, " ", compare), make("div", { class: "scroll" }, make("table", { class: "runs" }, make("thead", {}, head), body)));
}

// ---------------------------------------------------------------- runs

// Fetch the runs of a page, and draw their overview, unless the reader has gone elsewhere meanwhile.
async function showRuns(mine) {
  const key = `${mine.page}/${mine.names}`;
  if (!states.has(key)) states.set(key, freshState());
  const stamp = (mine.stamps = stamps(mine));
  const runs = await Promise.all(mine.names.map((name) => ask(baseOf(name))));
  if (shown !== mine) return;
  if (mine.page === "run") tabs(runs[0], mine.tab);
  title(mine.names.join(", "), runs.map(about).join(" | "));
  const draw = () => redrawn(() => main.replaceChildren(...overview(runs, states.get(key))));
  draw();
  complain(null);
  const bare = runs.filter((run) => run.draws);
  await Promise.all(bare.map(drawSample));
  if (bare.length && shown === mine && mine.stamps === stamp) draw();
}

// Of a run that has no samples, one that is drawn now.
async function drawSample(run) {
  try {
    const found = await ask(`${baseOf(run.name)}/rooms/${run.draws}`, { sheet: 1 });
    run.samples = [{ step: run.step, source: found.picture, text: found.text }];
    run.drawn = true;
  } catch (error) {
    if (!(error instanceof Told)) throw error;
    run.problems.push(error.message);
  }
}

function tabs(run, current) {
  const found = ["overview", ...(run.layers ? ["layers"] : []), ...run.rooms];
  const nav = document.getElementById("tabs");
  nav.hidden = false;
  if (nav.dataset.drawn === JSON.stringify([run.name, current, found])) return;
  nav.dataset.drawn = JSON.stringify([run.name, current, found]);
  nav.replaceChildren(...found.map((name) => make("a", {
    href: `#/run/${encodeURIComponent(run.name)}/${name}`, "aria-current": name === current ? "page" : null,
  }, name === "overview" ? "overview" : rooms[name].title)));
}

async function showRoom(mine) {
  if (!Object.hasOwn(rooms, mine.tab)) throw new Told(`there is nothing called ${mine.tab} here`);
  const run = await ask(baseOf(mine.names[0]));
  if (shown !== mine) return;
  tabs(run, mine.tab);
  title(run.name, about(run));
  const place = make("div");
  main.replaceChildren(place);
  await rooms[mine.tab].build(place, { ...run, base: baseOf(run.name) });
}

// ---------------------------------------------------------------- where one is

function wanted() {
  const [page = "", first = "", tab = "overview"] = location.hash.slice(2).split("/");
  let names = [];
  try {
    names = first.split(",").filter(Boolean).map(decodeURIComponent);
  } catch { /* an address that was typed */ }
  const known = (["run", "compare"].includes(page) && names.length) || page === "plane";
  return { page: known ? page : "", names, tab, stamps: "" };
}

async function go() {
  const mine = (shown = wanted());
  leaving.abort();
  leaving = new AbortController();
  document.getElementById("tabs").hidden = true;
  main.replaceChildren();
  complain(null);
  try {
    if (mine.page === "plane") {
      title("A game in the plane", "two networks, one of which makes points, and the other tells them from the data");
      await plane.build(main);
    } else if (!mine.page) list();
    else if (mine.page === "run" && mine.tab !== "overview") await showRoom(mine);
    else await showRuns(mine);
  } catch (error) {
    if (shown === mine) complain(error);
  }
}

// What changes when a page has to be drawn anew.
function stamps(mine) {
  return known.runs.filter((run) => mine.names.includes(run.name)).map((run) => `${run.name} ${run.stamp} ${run.live}`).join("|");
}

// Look for changes every second, while the page is seen, and nobody drags.
async function poll() {
  if (!document.hidden && !held) {
    const mine = shown;
    try {
      const before = JSON.stringify(known);
      known = await ask("api/runs");
      if (lost) complain(null);
      lost = false;
      if (!mine.page && shown === mine && before !== JSON.stringify(known)) refreshList();
      const drawn = mine.page === "compare" || (mine.page === "run" && mine.tab === "overview");
      if (drawn && mine.stamps !== stamps(mine)) await showRuns(mine);
    } catch (error) {
      if (error.name !== "AbortError" && shown === mine) {
        lost = !(error instanceof Told);
        complain(lost ? new Error("the server does not answer any more; start it again with: minigen view") : error);
      }
    }
  }
  setTimeout(poll, 1000);
}

let lost = false;
addEventListener("pointerdown", (event) => { held = event.button === 0; });
for (const name of ["pointerup", "pointercancel", "blur", "contextmenu"]) addEventListener(name, () => { held = false; });
addEventListener("hashchange", go);
ask("api/runs").then((found) => { known = found; return go(); }).catch(complain).finally(() => setTimeout(poll, 1000));
