// Asks for the state of the study and shows it. Texts from files go in as text, never as HTML.
"use strict";

const STATE_MS = 2000, CURVES_MS = 5000;
const COLOURS = ["#2068a8", "#d55e00", "#009e73", "#7a4a9e", "#8a6d1d", "#b2341f", "#5b6674"];
// Of many curves each its own, in their order from blue to red.
const colour = (index, count) => (count <= COLOURS.length ? COLOURS[index] : `hsl(${Math.round(240 - (240 * index) / (count - 1))} 70% 42%)`);
const SVG = "http://www.w3.org/2000/svg";
const id = (name) => document.getElementById(name);

function make(tag, attributes = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

function draw(tag, attributes, text = "") {
  const found = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.textContent = text;
  return found;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} d`;
}

const few = (value) => (value === null ? "" : String(Number(value.toPrecision(3))));
const percent = (part) => (part === null ? "" : `${Math.round(100 * part)} %`);

function row(...cells) {
  return make("tr", {}, ...cells.map((cell, index) => make("td", index && cell !== "" && !Number.isNaN(Number(cell)) ? { class: "n" } : {}, cell)));
}

// ---- the state

function showState(state) {
  if (state.error) throw new Error(state.error);
  document.title = `${state.name} - borarun`;
  id("formula").textContent = state.formula;
  id("name").textContent = state.name;
  const all = state.stages.flatMap((stage) => stage.tasks.map((task) => ({ ...task, stage: stage.name })));
  const count = (condition) => all.filter((task) => task.condition === condition).length;
  const done = count("done"), running = all.filter((task) => task.condition === "running");
  const finished = done === all.length && !state.stages.some((stage) => stage.more);
  let said = "Nothing has run yet, and no driver runs this study.";
  if (state.driver) said = `Run by ${state.driver}.`;
  else if (finished) said = "Finished: every task is done.";
  else if (done || state.failed.length) said = "No driver is running this study.";
  id("driver").textContent = !state.driver && !finished ? `${said} To run it: borarun submit ${state.file}` : said;
  const cards = [["Tasks done", `${done} of ${all.length}`, ""], ["Running", String(running.length), ""]];
  if (state.failed.length || state.stuck.length) cards.push(["Failed", String(state.failed.length), "failed"]);
  if (!finished) cards.push([state.driver ? "Time left, at least" : "Work left, at least", duration(state.left_s), ""]);
  id("cards").replaceChildren(...cards.map(([title, value, kind]) => make("div", { class: "card" }, make("h2", {}, title), make("p", { class: `value ${kind}` }, value))));
  id("failures").hidden = !(state.failed.length || state.stuck.length);
  id("failed").replaceChildren(...state.failed.map(failure), ...state.stuck.map((reason) => make("p", { class: "note warning" }, `Stuck: ${reason}`)));
  id("now").hidden = !running.length;
  id("running").replaceChildren(...running.map((task) => row(`${task.stage} ${task.label}`, percent(task.part), duration(task.seconds), task.where)));
  showStages(state.stages);
  id("learning").hidden = !(state.trained.length || state.explored.length);
  id("trained").replaceChildren(...state.trained.map((t) => row(`${t.functional}, training ${t.number}`, String(t.n_train), few(t.energy_meV_per_atom), few(t.forces_eV_per_A), few(t.stress_kbar))));
  id("explored").replaceChildren(...state.explored.map((e) => row(`${e.functional}, round ${e.round}, vacancies ${e.vacancies}, run ${e.run}`, e.reason || e.stop, few(e.grade_max))));
  errors = learningFigures(state.trained);
  showFigures();
}

function failure(each) {
  const note = make("div", { class: "note bad" }, make("p", {}, make("b", {}, each.task)), make("p", {}, `${each.cause}: ${each.message}`));
  if (each.remedy) note.append(make("p", {}, `What to do: ${each.remedy}`));
  if (each.waiting.length) note.append(make("p", { class: "small" }, `Waiting for it: ${each.waiting.slice(0, 5).join(", ")}${each.waiting.length > 5 ? " and more" : ""}`));
  if (each.evidence) note.append(make("pre", {}, each.evidence));
  return note;
}

function showStages(stages) {
  const open = new Set([...document.querySelectorAll(".stage[open]")].map((each) => each.dataset.name));
  id("stage-list").replaceChildren(...stages.map((stage) => {
    const done = stage.tasks.filter((task) => task.condition === "done").length;
    const begun = stage.tasks.reduce((sum, task) => sum + (task.part || 0), done);
    const bar = make("progress", { max: Math.max(stage.tasks.length, 1), value: begun, "aria-label": stage.name });
    const found = make("details", { class: "stage" }, make("summary", {}, make("span", {}, stage.name.replaceAll("_", " ")), bar, make("span", { class: "count" }, `${done}/${stage.tasks.length}${stage.more ? "+" : ""}`)));
    found.dataset.name = stage.name;
    found.open = open.has(stage.name);
    if (stage.more) found.append(make("p", { class: "small" }, stage.more));
    found.append(make("ul", {}, ...stage.tasks.map((task) => make("li", {}, make("span", {}, task.label), make("span", { class: task.condition }, task.condition)))));
    return found;
  }));
}

// ---- the figures

let errors = [], grown = [];

function learningFigures(trained) {
  if (!trained.length) return [];
  const functionals = [...new Set(trained.map((each) => each.functional))];
  const of = (name) => functionals.map((functional) => {
    const own = trained.filter((each) => each.functional === functional).sort((a, b) => a.number - b.number);
    return { label: functional, x: own.map((each) => each.number), y: own.map((each) => each[name]), marks: true };
  });
  return [
    { title: "Force error by training", x: "training", y: "eV/Å", whole: true, series: of("forces_eV_per_A") },
    { title: "Energy error by training", x: "training", y: "meV/atom", whole: true, series: of("energy_meV_per_atom") },
  ];
}

function showCurves(found) {
  id("missing").hidden = !(found.missing || found.error);
  id("missing").textContent = found.error || "Curves of finished tasks are still being read.";
  if (found.error) {
    id("curves").hidden = false;
    return;
  }
  const several = new Set(found.curves.map((curve) => curve.functional)).size > 1;
  grown = Object.entries(found.figures).map(([name, look]) => {
    const own = found.curves.filter((curve) => curve.figure === name);
    const limits = own.map((curve) => curve.limit).filter((limit) => limit !== null);
    const label = (curve) => `${several ? `${curve.functional}, ` : ""}${curve.label}${curve.growing ? " (running)" : ""}`;
    return { ...look, limit: limits.length ? Math.min(...limits) : null, series: own.map((curve) => ({ label: label(curve), x: curve.x, y: curve.y })) };
  }).filter((figure) => figure.series.length);
  showFigures();
}

function showFigures() {
  const figures = [...errors, ...grown];
  id("curves").hidden = !figures.length;
  const places = new Map([...id("figures").children].map((place) => [place.dataset.title, place]));
  for (const figure of figures) {
    const content = JSON.stringify(figure);
    let place = places.get(figure.title);
    if (!place) {
      place = make("figure", { class: "chart" });
      place.dataset.title = figure.title;
    }
    places.delete(figure.title);
    if (place.dataset.content !== content) {
      place.dataset.content = content;
      place.replaceChildren(...chart(figure));
    }
    id("figures").append(place);
  }
  for (const place of places.values()) place.remove();
}

function ticks(low, high, log, whole) {
  const found = [];
  if (log) {
    const decades = Math.log10(high / low);
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const digit of decades > 2.5 ? [1] : decades > 1 ? [1, 3] : [1, 2, 5]) found.push(digit * 10 ** power);
    }
  } else {
    const raw = (high - low) / 5, power = 10 ** Math.floor(Math.log10(raw));
    let step = [1, 2, 5, 10].map((digit) => digit * power).find((each) => each >= raw);
    if (whole) step = Math.max(1, Math.round(step));
    for (let index = Math.ceil(low / step); index * step <= high; index++) found.push(index * step);
  }
  return found.filter((value) => value >= low && value <= high);
}

function range(values, log) {
  let low = Math.min(...values), high = Math.max(...values);
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - (Math.abs(low) || 1) * 0.05, high + (Math.abs(high) || 1) * 0.05];
  const room = log ? (high / low) ** 0.05 : (high - low) * 0.05;
  return log ? [low / room, high * room] : [low - room, high + room];
}

function chart(figure) {
  const width = 400, height = 260, left = 58, right = 12, top = 10, bottom = 38;
  const drawable = (x, y) => x !== null && y !== null && (!figure.log_x || x > 0) && (!figure.log_y || y > 0);
  const series = figure.series.map((each) => ({ ...each, points: each.x.map((x, index) => [x, each.y[index]]).filter(([x, y]) => drawable(x, y)) }));
  const points = series.flatMap((each) => each.points);
  const title = make("h3", {}, figure.title), said = make("output", {});
  if (!points.length) return [title];
  const axis = (values, log, from, to) => {
    const [low, high] = range(values, log), scale = log ? Math.log : (value) => value;
    return { low, high, log, at: (value) => from + (to - from) * (scale(value) - scale(low)) / (scale(high) - scale(low)) };
  };
  const x = axis(points.map((point) => point[0]), figure.log_x, left, width - right);
  const y = axis([...points.map((point) => point[1]), ...(figure.limit ? [figure.limit] : [])], figure.log_y, height - bottom, top);
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${figure.title}: ${figure.y} against ${figure.x}` });
  for (const value of ticks(x.low, x.high, x.log, figure.whole)) {
    svg.append(draw("line", { class: "grid", x1: x.at(value), x2: x.at(value), y1: top, y2: height - bottom }));
    svg.append(draw("text", { x: x.at(value), y: height - bottom + 15, "text-anchor": "middle" }, String(Number(value.toPrecision(6)))));
  }
  for (const value of ticks(y.low, y.high, y.log)) {
    svg.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: y.at(value), y2: y.at(value) }));
    svg.append(draw("text", { x: left - 6, y: y.at(value) + 4, "text-anchor": "end" }, String(Number(value.toPrecision(6)))));
  }
  svg.append(draw("path", { class: "axis", d: `M${left},${top}V${height - bottom}H${width - right}` }));
  svg.append(draw("text", { x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, figure.x));
  svg.append(draw("text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, figure.y));
  if (figure.limit) svg.append(draw("line", { class: "limit", x1: left, x2: width - right, y1: y.at(figure.limit), y2: y.at(figure.limit) }));
  series.forEach((each, index) => {
    const stroke = colour(index, series.length), places = each.points.map(([a, b]) => `${x.at(a).toFixed(1)},${y.at(b).toFixed(1)}`);
    svg.append(draw("polyline", { class: "line", points: places.join(" "), stroke }));
    if (each.marks || places.length === 1) for (const place of places) svg.append(draw("circle", { cx: place.split(",")[0], cy: place.split(",")[1], r: 3, fill: stroke }));
  });
  const mark = draw("circle", { r: 4.5, fill: "none", stroke: "#1c2430", visibility: "hidden" });
  svg.append(mark);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), scale = width / box.width;
    const here = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let best = null, least = Infinity;
    for (const each of series) for (const point of each.points) {
      const far = (x.at(point[0]) - here[0]) ** 2 + (y.at(point[1]) - here[1]) ** 2;
      if (far < least) [best, least] = [{ each, point }, far];
    }
    mark.setAttribute("cx", x.at(best.point[0]));
    mark.setAttribute("cy", y.at(best.point[1]));
    mark.setAttribute("visibility", "visible");
    said.textContent = `${best.each.label}: ${figure.x} ${best.point[0]}; ${figure.y} ${best.point[1]}`;
  });
  svg.addEventListener("pointerleave", () => { mark.setAttribute("visibility", "hidden"); said.textContent = ""; });
  const keys = series.map((each, index) => {
    const swatch = draw("svg", { viewBox: "0 0 10 10", width: 10, height: 10 });
    swatch.append(draw("rect", { width: 10, height: 10, fill: colour(index, series.length) }));
    swatch.setAttribute("class", "swatch");
    return make("li", {}, swatch, ` ${each.label}`);
  });
  if (figure.limit) keys.push(make("li", {}, "dashed: grade that ends a run"));
  return [title, svg, said, make("ul", {}, ...keys)];
}

// ---- asking again and again; the browser's cache and the server's ETag spare what has not changed

async function follow(file, every, show) {
  let etag = null;
  for (;;) {
    if (!document.hidden) {
      try {
        const answer = await fetch(file, etag ? { headers: { "If-None-Match": etag }, cache: "no-store" } : { cache: "no-store" });
        if (answer.status === 200) {
          show(await answer.json());
          etag = answer.headers.get("ETag");
        } else if (answer.status !== 304) throw new Error(`the answer was ${answer.status}`);
        if (file === "state.json") id("trouble").hidden = true;
      } catch (error) {
        etag = null;
        if (file === "state.json") {
          id("trouble").textContent = error instanceof TypeError ? "No answer: `borarun watch --web` has ended, or the tunnel to it. What is shown may be old." : error.message;
          id("trouble").hidden = false;
        }
      }
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

follow("state.json", STATE_MS, showState);
follow("curves.json", CURVES_MS, showCurves);
