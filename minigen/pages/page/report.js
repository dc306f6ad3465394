"use strict";
const runs = JSON.parse(document.getElementById("content").textContent);
const names = runs.map((run) => run.name).join(", ");
document.title = names;
document.getElementById("title").textContent = names;
document.getElementById("about").textContent = runs.map(about).join(" | ");
document.getElementById("main").append(...overview(runs, freshState()));
