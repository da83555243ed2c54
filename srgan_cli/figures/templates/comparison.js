"use strict";

const images = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const stage = byId("stage");
const split = byId("split"); // its value: percent of the visible part of the image
const sides = ["left", "right"];
const view = { zoom: 1, x: 0, y: 0, fitted: true }; // screen pixels per image pixel; its corner in the stage

const shown = () => images[byId("image").value];
const layer = (side) => shown().layers[byId(side).value];
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/* What is shown */

function visible() {
  const end = Math.min(stage.clientWidth, view.x + shown().width * view.zoom);
  const start = Math.max(0, view.x);
  return { start, width: Math.max(1, end - start) };
}

function draw() {
  const width = shown().width * view.zoom;
  const height = shown().height * view.zoom;
  const { start, width: seen } = visible();
  const at = start + (split.value / 100) * seen;
  for (const side of sides) {
    const image = byId(side + "-image");
    image.style.width = width + "px";
    image.style.height = height + "px";
    image.style.transform = `translate(${view.x}px, ${view.y}px)`;
    image.style.imageRendering = width >= 2 * image.naturalWidth ? "pixelated" : "auto";
  }
  byId("left-image").style.clipPath = `inset(0 ${width - (at - view.x)}px 0 0)`;
  byId("right-image").style.clipPath = `inset(0 0 0 ${at - view.x}px)`;
  byId("divider").style.left = at + "px";
  byId("zoom").value = Math.round(100 * view.zoom) + " %";
  stage.classList.toggle("movable", movable());
  const percent = Math.round(split.value);
  split.setAttribute("aria-valuetext", `${percent} % ${layer("left").label}, ${100 - percent} % ${layer("right").label}`);
}

function showLayer(side) {
  const { label, note, url } = layer(side);
  const image = byId(side + "-image");
  image.src = url;
  image.alt = `${shown().title}, ${side}: ${label}`;
  const tag = byId(side + "-tag");
  tag.textContent = label;
  if (note) tag.append(Object.assign(document.createElement("small"), { textContent: note }));
  image.decode().then(draw, draw);
}

function showImage() {
  for (const side of sides) keepOptions(byId(side), shown().layers.map(({ label }) => label));
  byId("previous").disabled = byId("image").value === "0";
  byId("next").disabled = Number(byId("image").value) === images.length - 1;
  sides.forEach(showLayer);
  fit();
}

function keepOptions(select, labels) {
  const chosen = select.selectedOptions[0]?.textContent;
  select.replaceChildren(...labels.map((label, index) => new Option(label, index)));
  const same = labels.indexOf(chosen);
  select.value = same >= 0 ? same : select.id === "left" ? 0 : labels.length - 1;
}

/* Zooming and moving */

/** Whole numbers from 1 on: 112 % would only blur. */
function fittingZoom() {
  const zoom = Math.min(stage.clientWidth / shown().width, stage.clientHeight / shown().height, 4);
  return zoom < 1 ? zoom : Math.floor(zoom);
}

function movable() {
  const { width, height } = shown();
  return width * view.zoom > stage.clientWidth + 1 || height * view.zoom > stage.clientHeight + 1;
}

function fit() {
  view.fitted = true;
  view.zoom = fittingZoom();
  moveTo(0, 0);
}

function moveTo(x, y) {
  const free = (stageSide, side) => stageSide - side * view.zoom;
  const place = (wanted, room) => (room >= 0 ? room / 2 : clamp(wanted, room, 0));
  view.x = place(x, free(stage.clientWidth, shown().width));
  view.y = place(y, free(stage.clientHeight, shown().height));
  draw();
}

function zoomTo(zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const factor = clamp(zoom, Math.min(fittingZoom(), 1), 32) / view.zoom;
  view.zoom *= factor;
  view.fitted = false;
  moveTo(x - (x - view.x) * factor, y - (y - view.y) * factor);
}

function splitAt(x) {
  const { start, width } = visible();
  split.value = clamp((100 * (x - start)) / width, 0, 100);
  draw();
}

/* Mouse, pen and fingers */

const pointers = new Map();
let dragging = null; // "divider" or "image"
let splitBefore = split.value; // the first finger of a pinch was not meant for the divider

function inStage(event) {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function pinch() {
  const [a, b] = pointers.values();
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(1, Math.hypot(a.x - b.x, a.y - b.y)) };
}

stage.addEventListener("pointerdown", (event) => {
  if (event.button > 0 || pointers.size === 2) return;
  const point = inStage(event);
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, point);
  if (pointers.size === 2) {
    split.value = splitBefore;
    return draw();
  }
  splitBefore = split.value;
  const onDivider = Math.abs(point.x - byId("divider").offsetLeft - 24) <= 24;
  dragging = onDivider || !movable() ? "divider" : "image";
  if (dragging === "divider") splitAt(point.x);
});

stage.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const point = inStage(event);
  const old = pointers.size === 2 ? pinch() : null;
  pointers.set(event.pointerId, point);
  if (old) {
    const now = pinch();
    zoomTo((view.zoom * now.apart) / old.apart, now.x, now.y);
    moveTo(view.x + now.x - old.x, view.y + now.y - old.y);
  } else if (dragging === "divider") splitAt(point.x);
  else moveTo(view.x + point.x - before.x, view.y + point.y - before.y);
});

for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, (event) => {
    pointers.delete(event.pointerId);
    dragging = "image"; // a finger left over from a pinch does not jerk the divider
  });
}

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { x, y } = inStage(event);
  zoomTo(view.zoom * 1.0015 ** -clamp(event.deltaY, -300, 300), x, y);
}, { passive: false });

/* Keys and controls */

const actions = {
  in: () => zoomTo(view.zoom * 1.25),
  out: () => zoomTo(view.zoom / 1.25),
  fit,
  full: () => zoomTo(1),
  swap() {
    const { left, right } = { left: byId("left").value, right: byId("right").value };
    byId("left").value = right;
    byId("right").value = left;
    sides.forEach(showLayer);
    draw();
  },
  previous: () => turnTo(Number(byId("image").value) - 1),
  next: () => turnTo(Number(byId("image").value) + 1),
};
const keys = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "full", s: "swap", S: "swap" };
const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function turnTo(index) {
  byId("image").value = index;
  showImage();
}

function arrow([right, down], moves) {
  if (moves) moveTo(view.x - 40 * right, view.y - 40 * down);
  else {
    split.value = Number(split.value) + 2 * right - 2 * down;
    draw();
  }
}

stage.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key in arrows) arrow(arrows[event.key], event.shiftKey);
  else if (event.key in keys) actions[keys[event.key]]();
  else return;
  event.preventDefault();
});

for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
for (const side of sides) byId(side).addEventListener("change", () => { showLayer(side); draw(); });
split.addEventListener("input", draw);
byId("image").addEventListener("change", showImage);
new ResizeObserver(() => (view.fitted ? fit() : moveTo(view.x, view.y))).observe(stage);

byId("image").replaceChildren(...images.map(({ title }, index) => new Option(title, index)));
byId("images").hidden = images.length < 2;
showImage();
