"use strict";
const $ = id => document.getElementById(id);
const make = (tag, more = {}, ...inside) => {
  const node = Object.assign(document.createElement(tag), more);
  node.append(...inside);
  return node;
};

const STATES = {
  review: ["To review", i => i.state === "quarantined" || i.state === "failed" || i.sample],
  all: ["All", () => true],
  quarantined: ["Quarantined", i => i.state === "quarantined"],
  failed: ["Failed", i => i.state === "failed"],
  withdrawn: ["Off the shop", i => i.state === "withdrawn"],
  pending: ["Waiting", i => i.state === "pending"],
  published: ["Published", i => i.state === "published"],
  sample: ["Sample", i => i.sample],
};
const GROUNDS = ["checks", "white", "black", "colour"];
const STORED_TOKEN = "bg-pipeline review";
const STEP = 120;

const inFile = JSON.parse($("data").textContent);
let items = [], shown = [], drawn = 0, at = 0, last = null;
let pictures = "", price = 0;
let ground = "checks", beside = false, zoomed = false, cut = 50;
const chosen = { state: "all", collection: "", reason: "", text: "" };

/* The server */

const token = () => localStorage.getItem(STORED_TOKEN) || "";

async function ask(path, fields) {
  const headers = { Authorization: `Bearer ${token()}` };
  const options = fields ? { method: "POST", headers, body: JSON.stringify(fields) } : { headers };
  let answer;
  try { answer = await fetch(path, options); }
  catch { throw new Error("the server does not answer: start `bg-pipeline review --serve` again"); }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(value.error || `the server refused (${answer.status})`);
  return value;
}

async function signIn() {
  const link = /^#link=([\w-]+)$/.exec(location.hash);
  if (!link) return;
  history.replaceState(null, "", location.pathname + location.search);
  const answer = await ask("session", { link: link[1] }).catch(error => ({ error }));
  if (answer.token) localStorage.setItem(STORED_TOKEN, answer.token);
}

const address = (digest, size) =>
  inFile ? `thumbnails/${digest.slice(0, 2)}/${digest}.webp` : `${pictures}/${size}/${digest}.webp`;

/* The grid */

function choose() {
  const words = chosen.text.toLowerCase();
  shown = items.filter(i => STATES[chosen.state][1](i)
    && (!chosen.collection || i.collection === chosen.collection)
    && (!chosen.reason || i.reason === chosen.reason)
    && (!words || i.key.toLowerCase().includes(words)));
}

function counts() {
  $("states").replaceChildren(...Object.entries(STATES).map(([name, [label, holds]]) => {
    const count = items.filter(holds).length;
    const button = make("button", { onclick: () => filter({ state: name }) }, label, make("b", {}, String(count)));
    button.dataset.state = name;
    button.setAttribute("aria-pressed", String(chosen.state === name));
    button.hidden = !count && !["all", "review"].includes(name);
    return button;
  }));
}

function options(select, first, field) {
  const names = [...new Set(items.map(i => i[field]))].filter(Boolean).sort();
  const all = make("option", { value: "" }, first);
  select.replaceChildren(all, ...names.map(name => make("option", { value: name }, name)));
  select.value = chosen[field] || "";
  select.hidden = names.length < 2 && !chosen[field];
}

function filter(change) {
  Object.assign(chosen, change);
  at = 0;
  draw();
}

function draw() {
  choose();
  counts();
  $("grid").replaceChildren();
  drawn = 0;
  at = Math.min(at, Math.max(0, shown.length - 1));
  $("empty").hidden = shown.length > 0;
  $("empty").textContent = chosen.state === "review" ? "Nothing waits for a review." : "No item matches.";
  drawMore();
  select(at, false);
}

function drawMore() {
  const until = Math.min(shown.length, drawn + STEP);
  $("grid").append(...shown.slice(drawn, until).map((item, n) => card(item, drawn + n)));
  drawn = until;
}

function image(digest, size, what) {
  const picture = make("img", { alt: what, loading: size === "small" ? "lazy" : "eager", decoding: "async", draggable: false });
  picture.onerror = async () => {
    const answer = inFile ? null : await fetch(picture.src).catch(() => null);
    const why = answer ? await answer.text() : "cannot be shown";
    picture.replaceWith(make("div", { className: "none" }, why));
  };
  picture.src = address(digest, size);
  return picture;
}

const missing = text => make("div", { className: "none" }, text);

function well(item, which) {
  const box = make("div", { className: `well ${which === "after" ? `after ${ground}` : ""}` });
  const [had] = which === "before" ? [item.seen[0]] : [item.seen[1]];
  const none = had && inFile ? "no thumbnail yet" : which === "before" ? "no picture" : "no cutout";
  box.append(item[which] ? image(item[which], "small", which) : missing(none));
  return box;
}

function note(item) {
  const made = item.decisions.at(-1);
  if (item.why) return item.why;
  if (made) return `${SAID[made.decision]} by ${made.by}`;
  return item.sample ? "chosen by chance" : "";
}

const SAID = { approve: "approved", reject: "rejected", redo: "requested again", take_off: "taken off", swap: "swapped" };

function card(item, index) {
  const name = item.key.slice(item.key.lastIndexOf("/") + 1);
  const figure = make("figure", { className: item.state, title: `${item.key}\n${item.why}` },
    make("div", { className: "pair" }, well(item, "before"), well(item, "after")),
    make("figcaption", {},
      make("div", { className: "name" }, make("i", { className: "dot" }), make("span", {}, name)),
      make("div", { className: "line" }, note(item))));
  figure.setAttribute("role", "option");
  figure.setAttribute("aria-selected", String(index === at));
  figure.onclick = () => { select(index, false); open(index); };
  item.card = figure;
  return figure;
}

function redraw(item) {
  const old = item.card;
  if (old && old.isConnected) old.replaceWith(card(item, shown.indexOf(item)));
}

function select(index, scroll = true) {
  shown[at]?.card?.setAttribute("aria-selected", "false");
  at = Math.max(0, Math.min(index, shown.length - 1));
  while (drawn <= at && drawn < shown.length) drawMore();
  const figure = shown[at]?.card;
  figure?.setAttribute("aria-selected", "true");
  if (scroll) figure?.scrollIntoView({ block: "nearest" });
}
