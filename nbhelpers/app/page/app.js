"use strict";
// The page. Answers come from `engine`: a server's, or those of the page itself when it stands alone.
const $ = (id) => document.getElementById(id);
const state = { liked: new Map(), seen: new Map(), about: null, shown: {}, question: 0 };

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function card(item, tools) {
  const facts = [item.year, item.genres.slice(0, 3).join(", ")].filter(Boolean).join(" · ");
  const rank = item.rank ? `${item.rank}. ` : "";
  const lines = [
    element("img", { src: engine.poster(item), alt: "", width: 180, height: 256, loading: "lazy" }),
    element("b", {}, rank + item.title),
  ];
  if (facts) lines.push(element("p", { className: "facts" }, facts));
  if (item.because && item.because.length) {
    const why = `because you liked ${item.because.join(" and ")}`;
    lines.push(element("p", { className: "because" }, why));
  }
  const named = tools.map(([text, act]) =>
    element("button", { type: "button", onclick: act, "aria-label": `${text}: ${item.title}` }, text));
  if (named.length) lines.push(element("div", { className: "tools" }, ...named));
  return element("li", { className: "card" }, ...lines);
}

function choose(item, kind) {
  state.liked.delete(item.item);
  state.seen.delete(item.item);
  if (kind) state[kind].set(item.item, item);
  showChosen();
  return refresh();
}

function showChosen() {
  const rows = [...state.liked.values(), ...state.seen.values()].map((item) => {
    const liked = state.liked.has(item.item);
    const other = liked ? "seen" : "liked";
    return element("li", {},
      element("span", {}, `${liked ? "♥ " : "· "}${item.title}${liked ? "" : " (had it)"}`),
      element("button", { type: "button", onclick: () => choose(item, other),
        "aria-label": `${liked ? "Had it, no more" : "I like it"}: ${item.title}` },
        liked ? "had it" : "like"),
      element("button", { type: "button", onclick: () => choose(item, null),
        "aria-label": `Remove ${item.title}` }, "✕"));
  });
  $("chosen").replaceChildren(...rows);
  $("first").hidden = state.liked.size > 0;
}

function question(model) {
  return {
    liked: [...state.liked.keys()],
    seen: [...state.seen.keys()],
    strength: Number($("dial").value),
    model,
    genres: [...document.querySelectorAll("#genres input:checked")].map((box) => box.value),
    group: $("group").value,
  };
}

const BASIS = {
  likes: (n) => `made from ${n} ${n === 1 ? "like" : "likes"}`,
  group: () => "popular among those you named",
  popular: () => "popular with everybody, until you like something",
};

async function refresh() {
  const number = ++state.question;
  const names = [...new Set([$("model").value, $("second").value].filter(Boolean))];
  try {
    const answers = await Promise.all(names.map((name) => engine.list(question(name))));
    if (number !== state.question) return; // a later question is on its way
    state.shown = Object.fromEntries(answers.map((answer) => [answer.model, answer]));
    const columns = answers.map((answer) => element("div", {},
      element("h3", {}, `${answer.model}: ${BASIS[answer.basis](state.liked.size)}`),
      element("ol", { className: "cards" }, ...answer.items.map((item) => card(item, [
        ["like", () => choose(item, "liked")],
        ["had it", () => choose(item, "seen")],
        ["similar", () => showSimilar(item, answer.model)],
      ])))));
    $("lists").classList.toggle("two", columns.length > 1);
    $("lists").replaceChildren(...columns);
    const short = answers.some((answer) => answer.items.length === 0);
    say(short ? "Nothing is left to list." : `${answers[0].items.length} ${state.about.noun}s listed.`);
  } catch (problem) {
    say(problem.message, true);
  }
}

function say(text, isError = false) {
  $("status").textContent = text;
  $("status").className = isError ? "error" : "soft";
}

async function showSimilar(item, model) {
  try {
    const answer = await engine.similar(item.item, model);
    $("similar-head").textContent = `Similar to ${answer.of.title}`;
    const none = element("li", {}, "Too few people chose it to say.");
    const cards = answer.items.map((other) => card(other, [["like", () => choose(other, "liked")]]));
    $("similar-cards").replaceChildren(...(cards.length ? cards : [none]));
    $("similar").hidden = false;
    $("similar-head").focus();
  } catch (problem) {
    say(problem.message, true);
  }
}

async function showPerson(event) {
  event.preventDefault();
  try {
    const answer = await engine.history($("person").value.trim());
    state.liked = new Map(answer.items.map((item) => [item.item, item]));
    state.seen = new Map(answer.had.map((item) => [item.item, item]));
    $("history-head").textContent = `What person ${answer.person} likes (${answer.items.length})`;
    $("history-cards").replaceChildren(...answer.items.map((item) => card(item, [])));
    $("history").hidden = false;
    showChosen();
    await refresh();
  } catch (problem) {
    say(problem.message, true);
  }
}

function showPrice() {
  const { price } = state.about;
  const strength = Number($("dial").value);
  if (!price) {
    $("price").textContent = "What the dial costs was not measured for this model.";
    return;
  }
  const near = price.reduce((best, stop) =>
    Math.abs(stop.strength - strength) < Math.abs(best.strength - strength) ? stop : best);
  const percent = (share) => `${Math.round(100 * share)} %`;
  $("price").textContent = `At this stop ${price.length ? percent(near.kept) : ""} of the accuracy `
    + `(NDCG@10 on held-out likes) is kept, and the most popular fifth of the catalog gets `
    + `${percent(near.head)} of the places.`;
}

// Search: a text field with a list below it, as the ARIA practices describe a combobox.
let options = [];
let active = -1;
function showOptions(found) {
  options = found;
  active = -1;
  $("found").replaceChildren(...found.map((item, k) => element("li", {
    id: `option-${k}`, role: "option", "aria-selected": "false",
    onmousedown: (event) => { event.preventDefault(); take(k); },
  }, item.year ? `${item.title} (${item.year})` : item.title)));
  $("found").hidden = found.length === 0;
  $("search").setAttribute("aria-expanded", String(found.length > 0));
  $("search").removeAttribute("aria-activedescendant");
}
function mark(k) {
  active = options.length ? (k + options.length) % options.length : -1;
  for (const [place, row] of [...$("found").children].entries()) {
    row.setAttribute("aria-selected", String(place === active));
    if (place === active) row.scrollIntoView({ block: "nearest" });
  }
  if (active >= 0) $("search").setAttribute("aria-activedescendant", `option-${active}`);
}
function take(k) {
  const item = options[k];
  $("search").value = "";
  showOptions([]);
  if (item) choose(item, "liked");
}
let lastSearch = 0;
$("search").addEventListener("input", async () => {
  const number = ++lastSearch;
  const found = await engine.search($("search").value).catch(() => []);
  if (number === lastSearch) showOptions(found);
});
$("search").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    mark(event.key === "ArrowDown" ? active + 1 : active - 1);
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (options.length) take(Math.max(active, 0));
  } else if (event.key === "Escape") {
    showOptions([]);
  }
});
$("search").addEventListener("blur", () => showOptions([]));

// A cell that begins like a formula would be one in a spreadsheet: an apostrophe keeps it text.
const safeCell = (text) => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
function download() {
  const lines = [["model", "rank", "item_id", "title", "year", "because"].join(",")];
  for (const [model, answer] of Object.entries(state.shown)) {
    for (const item of answer.items) {
      const cells = [model, String(item.rank), item.item_id, item.title, item.year, item.because.join("; ")];
      lines.push(cells.map(safeCell).join(","));
    }
  }
  const address = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  element("a", { href: address, download: "list.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function start() {
  const about = state.about = await engine.describe();
  $("search-label").textContent = `Search ${about.n_items.toLocaleString("en")} ${about.noun}s by title`;
  for (const name of about.models) {
    $("model").append(element("option", { value: name }, name));
    $("second").append(element("option", { value: name }, name));
  }
  $("model-row").hidden = $("second-row").hidden = about.models.length < 2;
  for (const name of about.groups) $("group").append(element("option", { value: name }, name));
  $("group-row").hidden = about.groups.length === 0;
  for (const name of about.genres.slice(0, 24)) {
    $("genres").append(element("label", {},
      element("input", { type: "checkbox", value: name, onchange: refresh }), name));
  }
  if (!about.genres.length && !about.groups.length) $("first").remove();
  $("person-form").hidden = about.n_people === 0;
  $("person-form").addEventListener("submit", showPerson);
  for (const id of ["model", "second", "group"]) $(id).addEventListener("change", refresh);
  $("dial").addEventListener("input", () => { showPrice(); refresh(); });
  $("download").addEventListener("click", download);
  showPrice();
  showChosen();
  await refresh();
  document.body.dataset.ready = "true";
}
start().catch((problem) => say(problem.message, true));
