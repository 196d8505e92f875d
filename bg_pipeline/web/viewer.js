/* One item */

const isOpen = () => !$("viewer").hidden;
const waiting = new Map();

function preload(item) {
  for (const digest of item ? [item.before, item.after].filter(Boolean) : []) {
    const source = address(digest, "large");
    if (!waiting.has(source)) {
      const picture = new Image();
      picture.src = source;
      waiting.set(source, picture);
      if (waiting.size > 24) waiting.delete(waiting.keys().next().value);
    }
  }
}

const SIZES = ["small", "large", "full"];

/* Shows the thumbnail, which the grid has loaded, until a larger picture is there. */
function fill(layer, item, which) {
  const digest = item[which];
  layer.replaceChildren();
  layer.dataset.digest = digest;
  if (!digest) { layer.append(missing(which === "before" ? "no picture" : "no cutout")); return; }
  const small = image(digest, "small", which);
  small.loading = "eager";
  small.onload = fit;
  layer.dataset.size = "small";
  layer.append(small);
  if (!inFile) enlarge(layer, digest, which, "large");
}

function enlarge(layer, digest, which, size, then = () => {}) {
  const larger = image(digest, size, which);
  larger.onerror = null;
  larger.onload = () => {
    const old = layer.querySelector("img");
    const isLarger = SIZES.indexOf(size) > SIZES.indexOf(layer.dataset.size);
    if (!old || layer.dataset.digest !== digest || !isLarger) return;
    larger.onload = null;
    layer.dataset.size = size;
    old.replaceWith(larger);
    fit();
    then();
  };
}

function show() {
  const item = shown[at];
  if (!item) { close(); return; }
  zoomed = false;
  $("stage").classList.remove("zoom");
  fill($("before"), item, "before");
  fill($("after"), item, "after");
  $("title").textContent = item.key;
  $("state").className = `name ${item.state}`;
  $("state").replaceChildren(make("i", { className: "dot" }),
    `${STATES[item.state][0].toLowerCase()}${item.sample ? ", chosen by chance" : ""} · ${item.collection}`);
  $("why").textContent = item.why;
  $("position").textContent = `${at + 1} of ${shown.length}`;
  $("decisions").replaceChildren(...[...item.decisions].reverse().map(d =>
    make("li", {}, `${d.at.replace("T", " ").slice(0, 16)}  ${SAID[d.decision]} by ${d.by}${d.reason ? `: ${d.reason}` : ""}`)));
  $("strip").replaceChildren(...GROUNDS.map((name, n) => {
    const button = make("button", { className: name, title: name, onclick: () => setGround(name) },
      ...(item.after ? [image(item.after, "small", name)] : []), make("kbd", {}, String(n + 1)));
    button.dataset.ground = name;
    return button;
  }), make("input", { id: "slider", type: "range", min: 0, max: 100, value: cut, ariaLabel: "before and after",
    oninput: event => setCut(Number(event.target.value)) }));
  setGround(ground);
  setCut(cut);
  fit();
  [1, 2, -1].forEach(step => preload(shown[at + step]));
}

function sizeOf(layer) {
  const picture = layer.querySelector("img");
  return picture?.naturalWidth ? [picture.naturalWidth, picture.naturalHeight] : null;
}

function fit() {
  const sizes = [sizeOf($("after")), sizeOf($("before"))].filter(Boolean);
  const [width, height] = sizes[0] || [4, 3];
  const frame = $("frame");
  frame.classList.toggle("beside", beside);
  const columns = beside ? 2 : 1;
  let scale;
  if (zoomed) scale = 1 / devicePixelRatio;
  else scale = Math.min(($("stage").clientWidth - 28) / (width * columns), ($("stage").clientHeight - 28) / height);
  frame.style.width = `${Math.round(width * scale * columns)}px`;
  frame.style.height = `${Math.round(height * scale)}px`;
  setCut(cut);
}

function setCut(value) {
  cut = Math.max(0, Math.min(100, value));
  $("after").style.clipPath = beside ? "" : `inset(0 0 0 ${cut}%)`;
  $("before").style.clipPath = beside ? "" : `inset(0 ${100 - cut}% 0 0)`;
  $("cut").style.left = `${cut}%`;
  const slider = $("slider");
  if (slider) { slider.value = cut; slider.hidden = beside; }
}

function setGround(name) {
  ground = name;
  $("after").className = `layer ${name}`;
  document.querySelectorAll(".well.after").forEach(box => { box.className = `well after ${name}`; });
  document.querySelectorAll("[data-ground]").forEach(button =>
    button.setAttribute("aria-pressed", String(button.dataset.ground === name)));
}

function zoom() {
  zoomed = !zoomed;
  $("stage").classList.toggle("zoom", zoomed);
  fit();
  if (!zoomed) return;
  const stage = $("stage");
  const centre = () => stage.scrollTo((stage.scrollWidth - stage.clientWidth) / 2, (stage.scrollHeight - stage.clientHeight) / 2);
  centre();
  if (inFile) return;
  for (const which of ["before", "after"]) {
    const digest = shown[at][which];
    if (digest) enlarge($(which), digest, which, "full", () => zoomed && centre());
  }
}

function open(index) {
  select(index);
  $("viewer").hidden = false;
  document.body.style.overflow = "hidden";
  show();
  $("stage").focus();
}

function close() {
  $("viewer").hidden = true;
  document.body.style.overflow = "";
  select(at);
}

function go(step) {
  if (at + step < 0 || at + step >= shown.length) { say("That was the last one."); return; }
  select(at + step, !isOpen());
  if (isOpen()) show();
}

/* Decisions */

async function decide(decision) {
  const item = shown[at];
  if (inFile || !item || item.busy) return;
  const reason = $("reason").value.trim();
  item.busy = true;
  last = item;
  $("reason").value = "";
  if (isOpen() && at + 1 < shown.length) go(1);
  try {
    const answer = await ask("decisions", { decision, key: item.key, reason, seen: item.seen });
    const rows = new Map(answer.items.map(row => [row.key, row]));
    for (const each of items) {
      if (rows.has(each.key)) { Object.assign(each, rows.get(each.key), { sample: false }); redraw(each); }
    }
    counts();
    const others = answer.items.length - 1;
    const then = { approve: item.state === "pending" ? ": the next sync publishes it" : "",
      redo: `: the next sync makes it again, ${cost()}`, reject: "", take_off: "" }[decision];
    say(`${item.key} ${SAID[decision]}${others ? `, and ${others} with the same picture` : ""}${then}`);
    if (isOpen() && shown[at] === item) show();
  } catch (error) {
    say(error.message, true);
  } finally {
    item.busy = false;
  }
}

function back() {
  const index = shown.indexOf(last);
  if (index < 0) { say("No decision yet."); return; }
  if (isOpen()) { select(index, false); show(); } else open(index);
}

let fading;
function say(text, bad = false) {
  $("toast").textContent = text;
  $("toast").className = bad ? "bad" : "";
  $("toast").hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { $("toast").hidden = true; }, bad ? 9000 : 3500);
}

/* Keyboard and pointer */

const KEYS = {
  ArrowRight: () => go(1), ArrowLeft: () => go(-1), j: () => go(1), k: () => go(-1),
  ArrowDown: () => isOpen() || go(Math.min(columns(), shown.length - 1 - at)),
  ArrowUp: () => isOpen() || go(-Math.min(columns(), at)),
  Enter: () => isOpen() || open(at), " ": () => (isOpen() ? go(1) : open(at)),
  Escape: () => isOpen() && close(),
  a: () => decide("approve"), r: () => decide("reject"), d: () => decide("redo"), x: () => decide("take_off"),
  s: () => { beside = !beside; if (isOpen()) fit(); }, z: () => isOpen() && zoom(), u: back,
  w: () => isOpen() && !inFile && $("reason").focus(), "/": () => isOpen() || $("text").focus(),
  1: () => setGround("checks"), 2: () => setGround("white"), 3: () => setGround("black"), 4: () => setGround("colour"),
};

const cost = () => (price ? `at most ${price} credit${price === 1 ? "" : "s"}` : "free");
const columns = () => getComputedStyle($("grid")).gridTemplateColumns.split(" ").length;

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input[type=text], input[type=search], select");
  if (typing) {
    if (event.key === "Escape" && event.target.id === "text") {
      event.target.value = "";
      filter({ text: "" });
    }
    if (event.key === "Escape" || event.key === "Enter") event.target.blur();
    return;
  }
  if (event.target.matches("button") && (event.key === "Enter" || event.key === " ")) return;
  const act = Object.hasOwn(KEYS, event.key) && KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

let drag = null;
$("stage").addEventListener("pointerdown", event => {
  const stage = $("stage");
  drag = { x: event.clientX, y: event.clientY, left: stage.scrollLeft, top: stage.scrollTop, pans: zoomed && event.target.id !== "cut" };
  stage.setPointerCapture(event.pointerId);
  event.preventDefault();
});
$("stage").addEventListener("pointermove", event => {
  if (!drag) return;
  if (drag.pans) $("stage").scrollTo(drag.left + drag.x - event.clientX, drag.top + drag.y - event.clientY);
  else if (!beside) {
    const box = $("frame").getBoundingClientRect();
    setCut((event.clientX - box.left) / box.width * 100);
  }
});
$("stage").addEventListener("pointerup", () => { drag = null; });
$("stage").addEventListener("pointercancel", () => { drag = null; });
$("stage").addEventListener("dblclick", zoom);
$("previous").onclick = () => go(-1);
$("next").onclick = () => go(1);
$("close").onclick = close;
document.querySelectorAll("[data-decision]").forEach(button => { button.onclick = () => decide(button.dataset.decision); });
document.querySelectorAll("#grounds [data-ground]").forEach(button => { button.onclick = () => setGround(button.dataset.ground); });
$("colour").oninput = event => { document.documentElement.style.setProperty("--colour", event.target.value); setGround("colour"); };
$("text").oninput = event => filter({ text: event.target.value });
$("collection").onchange = event => filter({ collection: event.target.value });
$("reasons").onchange = event => filter({ reason: event.target.value });
addEventListener("resize", () => isOpen() && fit());
new IntersectionObserver(entries => entries.some(e => e.isIntersecting) && drawMore(), { rootMargin: "800px" }).observe($("more"));

async function begin() {
  let data = inFile;
  if (!data) {
    await signIn();
    try { data = await ask(`items${location.search}`); }
    catch (error) { $("empty").textContent = error.message; return; }
  }
  ({ items, pictures = "", price = 0 } = data);
  $("decide").hidden = Boolean(inFile);
  $("price").textContent = `next sync, ${cost()}`;
  chosen.collection = new URLSearchParams(location.search).get("collection") || "";
  chosen.state = items.some(STATES.review[1]) ? "review" : "all";
  options($("collection"), "All collections", "collection");
  options($("reasons"), "All reasons", "reason");
  setGround(ground);
  draw();
  if (items.length === data.most) say(`Only ${data.most} items are shown: ?collection=NAME in the address shows one collection.`, true);
}
addEventListener("hashchange", begin);
begin();
