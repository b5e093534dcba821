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
  const named = tools.map(([text, act]) => act === undefined ? likeOf(item) :
    element("button", { type: "button", onclick: act, "aria-label": `${text}: ${item.title}` }, text));
  if (named.length) lines.push(element("div", { className: "tools" }, ...named));
  return element("li", { className: "card" }, ...lines);
}

// "like" that stays where it is, and says whether it is pressed.
function likeOf(item) {
  const button = element("button", { type: "button", className: "like", onclick: () =>
    choose(item, state.liked.has(item.item) ? null : "liked") });
  button.item = item;
  return button;
}
function showPressed() {
  for (const button of document.querySelectorAll("button.like")) {
    const liked = state.liked.has(button.item.item);
    button.setAttribute("aria-pressed", String(liked));
    button.setAttribute("aria-label", `like: ${button.item.title}`);
    button.textContent = liked ? "♥ liked" : "like";
  }
}

// What is drawn anew takes its focus with it: the button in the same place gets it back.
function redraw(box, rows) {
  const place = [...box.querySelectorAll("button")].indexOf(document.activeElement);
  box.replaceChildren(...rows);
  if (place < 0) return;
  const buttons = [...box.querySelectorAll("button")];
  (buttons[Math.min(place, buttons.length - 1)] ?? $("search")).focus({ preventScroll: true });
}

function choose(item, kind) {
  state.liked.delete(item.item);
  state.seen.delete(item.item);
  if (kind) state[kind].set(item.item, item);
  showChosen();
  return refresh();
}

function startOver() {
  state.liked.clear();
  state.seen.clear();
  $("history").hidden = $("similar").hidden = true;
  $("search").focus();
  showChosen();
  return refresh();
}

const counted = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function showChosen() {
  const had = state.about.had_it;
  const rows = [...state.liked.values(), ...state.seen.values()].map((item) => {
    const liked = state.liked.has(item.item);
    const other = liked ? "seen" : "liked";
    return element("li", {},
      element("span", {}, `${liked ? "♥ " : "· "}${item.title}${liked ? "" : ` (${had})`}`),
      element("button", { type: "button", onclick: () => choose(item, other),
        "aria-label": `${liked ? had : "like"}: ${item.title}` },
        liked ? had : "like"),
      element("button", { type: "button", onclick: () => choose(item, null),
        "aria-label": `Remove ${item.title}` }, "✕"));
  });
  redraw($("chosen"), rows);
  $("choices").hidden = rows.length === 0;
  $("chosen-count").textContent = counted(state.liked.size, "like")
    + (state.seen.size ? `, ${state.seen.size} more marked “${had}”` : "");
  const { genres, groups } = state.about;
  $("first").hidden = state.liked.size > 0 || genres.length + groups.length === 0;
  showPressed();
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

function basis(answer) {
  const { group, genres } = question();
  const named = [group && `people “${group}”`, genres.join(", ")].filter(Boolean).join(": ");
  if (answer.basis === "likes") {
    return `${answer.model}, from ${counted(state.liked.size - answer.unknown.length, "like")}`;
  }
  return answer.basis === "group" ? `Popular, ${named}` : "Popular with everybody";
}

async function refresh() {
  const number = ++state.question;
  const both = state.liked.size > 0; // what is popular needs no model
  const names = [...new Set([$("model").value, both && $("second").value].filter(Boolean))];
  showPrice();
  $("lists").setAttribute("aria-busy", "true");
  try {
    const answers = await Promise.all(names.map((name) => engine.list(question(name))));
    if (number !== state.question) return; // a later question is on its way
    state.shown = Object.fromEntries(answers.map((answer) => [answer.model, answer]));
    const columns = answers.map((answer) => element("div", {},
      element("h3", {}, basis(answer)),
      ...(answer.unknown.length ? [element("p", { className: "soft" },
        `Too few people chose ${answer.unknown.join(", ")} for the model to know it.`)] : []),
      ...(answer.items.length ? [] : [element("p", {}, "Nothing is left to list.")]),
      element("ol", { className: "cards" }, ...answer.items.map((item) => card(item, [
        ["like", () => choose(item, "liked")],
        [state.about.had_it, () => choose(item, "seen")],
        ["similar", () => showSimilar(item, answer.model)],
      ])))));
    $("lists").classList.toggle("two", columns.length > 1);
    redraw($("lists"), columns);
    say(answers.map((answer) => answer.items.length
      ? `${basis(answer)}: ${counted(answer.items.length, state.about.noun)}, first ${answer.items[0].title}.`
      : `${basis(answer)}: nothing is left to list.`).join(" "));
  } catch (problem) {
    if (number === state.question) say(problem.message, true);
  } finally {
    if (number === state.question) $("lists").setAttribute("aria-busy", "false");
  }
}

function say(text, isError = false) {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").className = isError ? "error" : "unseen"; // the headings say it to the eye
}

async function showSimilar(item, model) {
  try {
    const answer = await engine.similar(item.item, model);
    $("similar-head").textContent = `Similar to ${answer.of.title}`;
    const none = element("li", {}, "Too few people chose it to say.");
    const cards = answer.items.map((other) => card(other, [["like"]]));
    $("similar-cards").replaceChildren(...(cards.length ? cards : [none]));
    $("similar").hidden = false;
    showPressed();
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
    $("history-head").textContent =
      `What person ${answer.person} likes: ${counted(answer.items.length, state.about.noun)}`;
    showHistory(answer.items, AT_FIRST);
    $("history").hidden = false;
    showChosen();
    await refresh();
  } catch (problem) {
    say(problem.message, true);
  }
}

const AT_FIRST = 24; // cards of a history, until all are asked for

function showHistory(items, most) {
  const cards = items.slice(0, most).map((item) => card(item, []));
  const rest = items.length - cards.length;
  const all = () => {
    showHistory(items, items.length);
    $("history-head").focus();
  };
  const more = element("li", { className: "more" },
    element("button", { type: "button", onclick: all }, `Show ${rest} more`));
  $("history-cards").replaceChildren(...cards, ...(rest > 0 ? [more] : []));
}

function showPrice() {
  const { price } = state.about;
  const strength = Number($("dial").value);
  $("dial").disabled = state.liked.size === 0;
  if ($("dial").disabled) {
    $("price").textContent = "The dial turns a list that is made from likes.";
    return;
  }
  if (!price) {
    $("price").textContent = "What the dial costs was not measured for this model.";
    return;
  }
  const near = price.reduce((best, stop) =>
    Math.abs(stop.strength - strength) < Math.abs(best.strength - strength) ? stop : best);
  const percent = (share) => `${Math.round(100 * share)} %`;
  $("price").textContent = `Here a list keeps ${percent(near.kept)} of its accuracy `
    + `(NDCG@10 on held-out likes, measured with ${state.about.models[0]}), and `
    + `${percent(near.head)} of its places go to the most popular fifth of all `
    + `${state.about.noun}s.`;
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
  $("search-note").textContent = "";
  lastSearch++; // an answer that is still on its way comes too late
  showOptions([]);
  if (item) choose(item, "liked");
}
let lastSearch = 0;
$("search").addEventListener("input", async () => {
  const number = ++lastSearch;
  const text = $("search").value.trim();
  let note = "";
  const found = await engine.search(text).catch((problem) => { note = problem.message; return []; });
  if (number !== lastSearch) return; // a later text is being looked for
  showOptions(found);
  if (found.length) note = `${counted(found.length, state.about.noun)}: the arrow keys choose.`;
  else if (text && !note) note = `No ${state.about.noun} has “${text}” in its title.`;
  $("search-note").textContent = note;
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
  $("search-help").textContent = `Likes are enough, nobody asks for stars: two or three ${about.noun}s make a list.`;
  $("person-label").textContent = `Or see one of ${about.n_people.toLocaleString("en")} people, by id`;
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
  $("person-form").hidden = about.n_people === 0;
  $("person-form").addEventListener("submit", showPerson);
  for (const id of ["model", "second", "group"]) $(id).addEventListener("change", refresh);
  let turning;
  $("dial").addEventListener("input", () => {
    showPrice();
    clearTimeout(turning); // one list for a turn, not one for each step of it
    turning = setTimeout(refresh, 50);
  });
  $("start-over").addEventListener("click", startOver);
  $("download").addEventListener("click", download);
  showChosen();
  await refresh();
  document.body.dataset.ready = "true";
}
start().catch((problem) => say(problem.message, true));
