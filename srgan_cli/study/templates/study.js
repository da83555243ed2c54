"use strict";

const study = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const sections = ["welcome", "calibration", "rating", "end"];

/* One rater's session: order of the trials, ratings by trial (index into study.trials), place in the order */
let session = null;

/* Chance that can be repeated: FNV-1a for a seed, mulberry32 for the numbers */

function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

function randomFrom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** All trials at random; the same motif never twice running while there is another. */
function shuffled(seed) {
  const random = randomFrom(seed);
  const left = study.trials.map((_, index) => index);
  const order = [];
  while (left.length) {
    const last = study.trials[order.at(-1)]?.picture;
    const others = left.filter((index) => study.trials[index].picture !== last);
    const choices = others.length ? others : left;
    const chosen = choices[Math.floor(random() * choices.length)];
    order.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return order;
}

/* What the browser keeps */

const keyOf = (rater) => `srgan-study/${study.id}/${rater}`;

function kept(rater) {
  try {
    return JSON.parse(localStorage.getItem(keyOf(rater)));
  } catch {
    return null; // a browser that keeps nothing, or something else under our key
  }
}

function keep() {
  try {
    localStorage.setItem(keyOf(session.rater), JSON.stringify({ ratings: session.ratings, at: session.at }));
  } catch {
    byId("unkept").hidden = false;
  }
}

function keepsNothing() {
  try {
    localStorage.setItem("srgan-study", "");
    localStorage.removeItem("srgan-study");
    return false;
  } catch {
    return true;
  }
}

/* The walk through the sections */

function show(name) {
  for (const section of sections) byId(section).hidden = section !== name;
  const inside = byId(name).contains(document.activeElement); // who tabs through the scale stays on it
  if (!inside) (byId(name).querySelector("h1[tabindex]") ?? byId(name)).focus();
  scrollTo(0, 0);
}

function begin(rater) {
  const seed = hash(`${study.id}/${rater}`);
  session = { rater, seed, order: shuffled(seed), ratings: {}, at: 0, ...kept(rater) };
  show("calibration");
}

function turnTo(at) {
  session.at = at;
  keep();
  if (at >= session.order.length) return finish();
  show("rating");
  showTrial();
}

function showTrial() {
  const { at, order, ratings } = session;
  byId("progress").textContent = `Image ${at + 1} of ${order.length}`;
  byId("bar").value = rated();
  if (at === 0) byId("rating").focus(); // a disabled button would swallow the keys
  byId("back").disabled = at === 0;
  for (const button of byId("scale").children) button.setAttribute("aria-pressed", ratings[order[at]] === Number(button.value));
  byId("frame").classList.add("turning"); // no rating before the image is to be seen
  byId("image").src = study.trials[order[at]].url;
  byId("image").decode().finally(() => byId("frame").classList.remove("turning"));
}

function rate(rating) {
  if (byId("frame").classList.contains("turning")) return;
  session.ratings[session.order[session.at]] = rating;
  turnTo(session.at + 1);
}

const rated = () => Object.keys(session.ratings).length;

function finish() {
  const [count, all] = [rated(), study.trials.length];
  byId("summary").textContent = count === all ? `You rated all ${all} images.` : `You rated ${count} of ${all} images.`;
  byId("resume").hidden = count === all;
  byId("text").value = results();
  show("end");
}

/* The results */

/** The file that `srgan rate --score` reads; the checksum tells it of slips by hand. */
function results() {
  const { rater, seed, order, ratings } = session;
  const rows = order.filter((index) => index in ratings).map((index) => {
    const { picture, method } = study.trials[index];
    return { picture, method, rating: ratings[index] };
  });
  const signed = [study.id, rater, ...rows.flatMap(({ picture, method, rating }) => [picture, method, rating])];
  const { methods, pictures } = study;
  return JSON.stringify({
    format: "srgan-study-1",
    study: study.id,
    rater,
    seed,
    saved: new Date().toISOString(),
    methods,
    pictures,
    ratings: rows,
    checksum: hash(signed.join("\n")),
  }, null, 1);
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([results()], { type: "application/json" }));
  link.download = `results-${session.rater.replace(/[^\p{L}\p{N}_-]+/gu, "-")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/* Controls */

byId("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  const rater = byId("rater").value.trim();
  if (rater) begin(rater);
});

byId("rater").addEventListener("input", () => {
  const count = Object.keys(kept(byId("rater").value.trim())?.ratings ?? {}).length;
  byId("known").textContent = count ? `Welcome back: ${count} of ${study.trials.length} are rated already.` : "";
});

byId("scale").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) rate(Number(button.value));
});

byId("rating").addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[1-5]$/.test(event.key)) rate(Number(event.key));
  else if (event.key === "Backspace" && session.at > 0) turnTo(session.at - 1);
});

byId("ready").addEventListener("click", () => turnTo(session.at));
byId("back").addEventListener("click", () => turnTo(session.at - 1));
byId("skip").addEventListener("click", () => turnTo(session.at + 1));
byId("pause").addEventListener("click", finish);
byId("resume").addEventListener("click", () => turnTo(session.order.findIndex((index) => !(index in session.ratings))));
byId("save").addEventListener("click", save);
byId("another").addEventListener("click", () => location.reload());

for (const { bad, excellent } of study.examples) {
  for (const [url, words] of [[bad, "1 – bad"], [excellent, "5 – excellent"]]) {
    const figure = document.createElement("figure");
    const image = Object.assign(new Image(), { src: url, alt: `Example: ${words}` });
    const caption = Object.assign(document.createElement("figcaption"), { textContent: words });
    figure.append(image, caption);
    byId("examples").append(figure);
  }
}
document.querySelector("[data-count]").textContent = study.trials.length;
document.querySelector("[data-minutes]").textContent = Math.max(1, Math.ceil((study.trials.length * 5) / 60));
byId("bar").max = study.trials.length;
byId("unkept").hidden = !keepsNothing();
