// Copyright (c) 2026 Gatehouse maintainers
// GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The page for people. What the gateway says becomes text and never HTML, and the credential is in one variable only.

// In seconds: for what is asked first, and for the models, without which there is something to show.
const PATIENCE = 20;
const LESS_PATIENCE = 8;
const DAYS = 30;
const SOON = 14;
const ROWS = 15;
const LONGEST = 80;
// Beyond it numbers are cut, so that sums stay finite and columns stay narrow.
const MOST = 1e15;
// Names that mean nothing to a shell, to YAML and to a program. No other one gets into a line to paste.
const isPlain = (name) => typeof name === "string" && /^[A-Za-z0-9][A-Za-z0-9._:\/-]{0,199}$/.test(name);

const find = (id) => document.getElementById(id);

// --- Elements --------------------------------------------------------------------------------------------------------

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

function make(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function draw(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function button(text, act, attributes = {}) {
  const node = make("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", () => act(node));
  return node;
}

// A name that somebody else chose: without signs that are not seen or turn others round, and cut where it is too long.
function named(value) {
  if (value === null || value === undefined || value === "") return make("bdi", {}, "–");
  const signs = [...String(value).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, "\ufffd")];
  if (signs.length <= LONGEST) return make("bdi", {}, signs.join(""));
  return make("bdi", { title: signs.slice(0, 1000).join("") }, `${signs.slice(0, LONGEST).join("")}…`);
}

const note = (...children) => make("p", { class: "muted" }, ...children);
const notice = (...children) => make("p", { class: "notice" }, ...children);
const badge = (kind, text) => make("span", { class: `badge ${kind}` }, text);

// A table whose rows are cells of a text or a node each. The first column names the row; the others may be numbers.
function table(caption, heads, rows, { numbers = false, total = null } = {}) {
  const kind = numbers ? "number" : null;
  const cell = (value, at) => at === 0
    ? make("th", { scope: "row", role: "rowheader" }, value)
    : make("td", { role: "cell", class: kind, "data-label": heads[at] }, value);
  const line = (cells) => make("tr", { role: "row" }, cells.map(cell));
  const head = (text, at) => make("th", { scope: "col", role: "columnheader", class: at ? kind : null }, text);
  // The roles are those that tables have: they stay where a narrow window shows each row as a block.
  return make("table", { role: "table" },
    make("caption", {}, caption),
    make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, heads.map(head))),
    make("tbody", { role: "rowgroup" }, rows.map(line)),
    total && make("tfoot", { role: "rowgroup" }, line(total)));
}

// The first rows, and a button for the others.
function longTable(caption, heads, rows, options) {
  if (rows.length <= ROWS) return [table(caption, heads, rows, options)];
  const box = make("div", {}, table(caption, heads, rows.slice(0, ROWS), options));
  const all = button(`Show all ${number(rows.length)}`, () => {
    box.replaceChildren(table(caption, heads, rows, options));
    box.querySelector("table").tabIndex = -1;
    box.querySelector("table").focus();
  });
  box.append(all);
  return [box];
}

// --- Values and words ------------------------------------------------------------------------------------------------

const list = (value) => (Array.isArray(value) ? value.filter((one) => one !== null && one !== undefined) : []);
const amount = (value) => (typeof value === "number" && value > 0 ? Math.min(value, MOST) : 0);
const sum = (rows, name) => rows.reduce((total, row) => total + amount(row[name]), 0);

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const moments = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const exactly = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

const written = (value) => (value < 1e13 ? whole : short).format(value);
const number = (value) => written(amount(value));
const several = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

function size(bytes) {
  const value = amount(bytes);
  if (!value) return "–";
  if (value < 1e6) return `${whole.format(value / 1e3)}\u00a0kB`;
  return value < 1e9 ? `${whole.format(value / 1e6)}\u00a0MB` : `${tenths.format(value / 1e9)}\u00a0GB`;
}

function duration(seconds) {
  const value = Math.ceil(amount(seconds));
  if (value < 100) return several(value, "second");
  if (value < 100 * 60) return several(Math.round(value / 60), "minute");
  if (value < 48 * 3600) return several(Math.round(value / 3600), "hour");
  return several(Math.floor(value / 86400), "day");
}

function moment(text) {
  const time = new Date(text);
  if (text === null || text === undefined || Number.isNaN(time.getTime())) return null;
  return make("time", { datetime: time.toISOString() }, moments.format(time));
}

const daysOf = (milliseconds) => Math.floor(milliseconds / 86400000);
const dayText = (day) => new Date(day * 86400000).toISOString().slice(0, 10);
const shortDay = (day) => dates.format(new Date(day * 86400000));

// --- Speaking with the gateway ---------------------------------------------------------------------------------------

// Who is signed in: the value of the Authorization header, and what breaks off requests under way. Null is nobody.
let session = null;

class Refusal extends Error {
  constructor(answer, isKey) {
    super(`status ${answer.status}`);
    this.status = answer.status;
    this.wait = answer.headers.get("Retry-After");
    this.challenge = (answer.headers.get("WWW-Authenticate") ?? "").toLowerCase();
    this.isKey = isKey;
  }
}

async function ask(own, path, patience) {
  // Of the origin alone: an address with a user in it could not be asked.
  const answer = await fetch(new URL(path, location.origin), {
    headers: { Authorization: own.authorization, Accept: "application/json" },
    credentials: "omit",
    cache: "no-store",
    redirect: "error",
    referrerPolicy: "no-referrer",
    signal: AbortSignal.any([own.end.signal, AbortSignal.timeout(patience * 1000)]),
  });
  if (!answer.ok) throw new Refusal(answer, isKey(own));
  const content = await answer.json();
  if (content === null || typeof content !== "object") throw new SyntaxError("no object");
  return content;
}

const isKey = (own) => own.authorization.startsWith("Bearer ");

const LONGEST_WAIT = 86400;
const WRONG_KEY = "This key is wrong, or it is not valid now.";

function secondsOf(wait) {
  if (!wait) return null;
  return /^\d+$/.test(wait) ? Number(wait) : Math.max(0, (new Date(wait) - Date.now()) / 1000) || null;
}

function later(wait) {
  const seconds = Math.min(secondsOf(wait) ?? 0, LONGEST_WAIT);
  if (!seconds) return "Try again in a minute.";
  return `Try again in ${duration(seconds)}, at ${clock.format(Date.now() + seconds * 1000)}.`;
}

function unknown({ isKey, challenge }) {
  const [own, other] = isKey ? ["bearer", "basic"] : ["basic", "bearer"];
  const isOther = challenge.includes(other) && !challenge.includes(own);
  if (isKey) return isOther ? "This gateway takes no keys: sign in with user and password." : WRONG_KEY;
  return isOther ? "This gateway takes no passwords: sign in with a key." : "The user or the password is wrong.";
}

function refused(refusal) {
  if (refusal.status === 401) return unknown(refusal);
  if (refusal.status === 403) return "The gateway knows you, and does not let you see this.";
  if (refusal.status === 404) return "This gateway does not tell what was used.";
  if (refusal.status === 421) return "The gateway does not go by the name in the address of this page.";
  if (refusal.status === 429) return `Too many tries or requests. ${later(refusal.wait)}`;
  const status = `(status ${refusal.status})`;
  if (refusal.status >= 500) return `The gateway cannot answer just now ${status}. ${later(refusal.wait)}`;
  return `The gateway refused the request ${status}.`;
}

function sentence(error) {
  if (error instanceof Refusal) return refused(error);
  if (error.name === "TimeoutError") return "The gateway did not answer in time.";
  if (error.name === "SyntaxError") return "The answer cannot be read: it may be of something else than the gateway.";
  return "The gateway cannot be reached. Look whether you are connected, and whether it runs.";
}

// --- Signing in and out ----------------------------------------------------------------------------------------------

const byKey = () => find("with-key").checked;

function encoded(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

// What is wrong with what was entered; null if nothing is.
function mistake() {
  const key = find("key").value.trim();
  if (byKey() && !key) return ["key", "Enter a key."];
  if (byKey() && !/^[\x21-\x7e]+$/.test(key)) return ["key", "A key has no spaces and no letters beyond ASCII."];
  if (byKey()) return null;
  if (!find("user").value) return ["user", "Enter a user."];
  if (find("user").value.includes(":")) return ["user", "The name of a user has no colon."];
  return null;
}

function entered() {
  if (byKey()) return `Bearer ${find("key").value.trim()}`;
  return `Basic ${encoded(`${find("user").value}:${find("password").value}`)}`;
}

function emptyFields() {
  for (const id of ["key", "password"]) find(id).value = "";
}

function showFields() {
  find("key-fields").hidden = !byKey();
  find("password-fields").hidden = byKey();
  find("entrance-problem").textContent = "";
}

function complain(id, text) {
  find("entrance-problem").textContent = text;
  find(id).focus();
}

function busy(is) {
  find("sign-in").toggleAttribute("aria-busy", is);
  find("enter").textContent = is ? "Signing in …" : "Sign in";
}

async function signIn(event) {
  event.preventDefault();
  const problem = mistake();
  if (problem) return complain(...problem);
  if (session) return null;
  const own = { authorization: entered(), end: new AbortController() };
  session = own;
  emptyFields();
  find("entrance-problem").textContent = "";
  busy(true);
  await load(own).then(enter, (error) => turnedAway(own, error));
  return busy(false);
}

function turnedAway(own, error) {
  if (own !== session) return;
  forget();
  complain(byKey() ? "key" : "password", sentence(error));
}

function enter() {
  find("entrance").hidden = true;
  find("account").hidden = false;
  find("session").hidden = false;
  find("client").focus();
}

const FILLED = ["client", "who", "state", "account-problem", "limits", "usage", "models", "keys", "environment",
  "model", "tabs", "panels", "copied"];

// Nothing that needed a credential is left in the page, nor an answer that is still to come.
function forget() {
  session?.end.abort();
  session = null;
  for (const id of FILLED) find(id).replaceChildren();
  emptyFields();
  chart.forget();
}

function signOut(text = "") {
  forget();
  find("user").value = "";
  find("entrance").hidden = false;
  find("account").hidden = true;
  find("session").hidden = true;
  complain(byKey() ? "key" : "user", text);
}

async function refresh() {
  const own = session;
  const node = find("refresh");
  if (!own || node.hasAttribute("aria-busy")) return;
  node.setAttribute("aria-busy", "true");
  find("account-problem").textContent = "";
  await load(own).catch((error) => stale(own, error));
  node.removeAttribute("aria-busy");
}

// Who is signed out meanwhile is told nothing, whose credential ended is signed out, and else what was there stays.
function stale(own, error) {
  if (own !== session) return;
  if (error instanceof Refusal && error.status === 401) signOut(`You are signed out: ${sentence(error)}`);
  else find("account-problem").textContent = `${sentence(error)} What you see is older.`;
}

// The models of the client, or in `problem` why they are not known.
async function askModels(own) {
  try {
    return { models: list((await ask(own, "/api/tags", LESS_PATIENCE)).models), problem: null };
  } catch (problem) {
    return { models: [], problem };
  }
}

// One after the other: a wrong key is one failed try.
async function load(own) {
  const account = await ask(own, "/gatehouse/usage", PATIENCE);
  const found = await askModels(own);
  own.end.signal.throwIfAborted();
  try {
    show(account, found);
  } catch (cause) {
    throw new SyntaxError("not what a gateway says", { cause });
  }
}

// --- The account -----------------------------------------------------------------------------------------------------

function show(account, found) {
  const time = new Date(account.time ?? NaN).getTime() || Date.now();
  const scopes = list(account.scopes).map(String);
  const keys = list(account.keys);
  showWho(account, scopes, time);
  find("limits").replaceChildren(...limitParts(list(account.limits)));
  find("usage").replaceChildren(...usageParts(account.usage, time));
  find("models").replaceChildren(...modelParts(found, list(account.models), scopes));
  find("keys").replaceChildren(...keyParts(keys, account.key ?? null, time));
  // Whoever only watches has no line to paste.
  find("connect").hidden = !mayAsk(scopes);
  showLines(linesOf(account, keys), pastable(found.models, list(account.models)));
  chart.redraw();
}

function showWho(account, scopes, time) {
  find("client").replaceChildren(named(account.client));
  const way = isKey(session) ? ["with the key ", named(account.key)] : ["with a password"];
  const may = scopes.length ? ["; may do: ", named(scopes.join(", "))] : [];
  find("who").replaceChildren("Signed in ", ...way, ...may);
  const exact = make("time", { datetime: new Date(time).toISOString() }, exactly.format(time));
  find("state").replaceChildren("As of ", exact);
}

// --- Limits ----------------------------------------------------------------------------------------------------------

const LIMITS = {
  requests_per_minute: "Requests per minute",
  concurrent_requests: "Requests at the same time",
  tokens_per_minute: "Tokens per minute",
  tokens_per_day: "Tokens per day",
  max_context: "Longest context",
  keep_alive: "Longest time in memory",
};

const isBound = (limit) => limit.name === "max_context" || limit.name === "keep_alive";

function limitParts(limits) {
  if (!limits.length) return [note("No limits are set for you.")];
  const bounds = limits.filter(isBound);
  const bars = make("div", { class: "bars" }, limits.filter((limit) => !isBound(limit)).map(bar));
  return [bars, ...(bounds.length ? [make("dl", { class: "bounds" }, bounds.map(bound))] : [])];
}

function limitTitle(limit) {
  const title = LIMITS[limit.name] ?? named(limit.name);
  return limit.model === null || limit.model === undefined ? [title] : [title, " of ", named(limit.model)];
}

function bound(limit) {
  const value = limit.name === "max_context" ? `${number(limit.limit)} tokens`
    : amount(limit.limit) ? duration(limit.limit) : "not beyond a request";
  return make("div", {}, make("dt", {}, limitTitle(limit), ": "), make("dd", {}, value));
}

function shareOf(limit) {
  const most = amount(limit.limit);
  return most ? Math.min(1, amount(limit.used) / most) : 1;
}

function warning(limit, share) {
  if (!amount(limit.remaining)) return badge("bad", "used up");
  return share >= 0.8 ? badge("warn", "nearly used up") : null;
}

function again(limit) {
  const seconds = amount(limit.reset_seconds);
  return seconds ? `, full again in ${duration(seconds)}` : "";
}

function bar(limit) {
  const share = shareOf(limit);
  const used = `${number(limit.used)} of ${number(limit.limit)} used`;
  const left = `${amount(limit.remaining) ? number(limit.remaining) : "nothing"} left${again(limit)}`;
  const level = share >= 1 ? "full" : share >= 0.8 ? "high" : "";
  const meter = draw("svg", { class: `meter ${level}`, "aria-hidden": "true" },
    draw("rect", { class: "track", width: "100%", height: "100%", rx: "4" }),
    draw("rect", { class: "part", width: `${share * 100}%`, height: "100%", rx: "4" }));
  return make("div", { class: "bar" },
    make("p", { class: "bar-title" }, make("strong", {}, limitTitle(limit)), " ", warning(limit, share)),
    meter, make("p", { class: "muted small" }, `${used}, ${left}`));
}

// --- Usage -----------------------------------------------------------------------------------------------------------

const INCOMPLETE = "The gateway was started a moment ago and still reads what was used before: refresh in a while.";

function usageParts(usage, time) {
  if (!usage) return [note("This gateway does not count what is used.")];
  const today = daysOf(time);
  const first = firstDay(usage.since, today);
  const dated = list(usage.days).map((row) => ({ ...row, at: dayOf(row.day) }));
  const rows = dated.filter((row) => row.at >= first && row.at <= today);
  const parts = usage.is_complete === false ? [notice(INCOMPLETE)] : [];
  if (!rows.length) return [...parts, note(`Nothing was used since ${shortDay(first)}.`)];
  const days = daily(rows, first, today);
  return [...parts, tiles(rows, today, days.length), chart.of(days), ...modelTable(rows), dayTable(days)];
}

function dayOf(text) {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? daysOf(Date.parse(text)) : NaN;
}

function firstDay(since, today) {
  const oldest = today - DAYS + 1;
  const day = dayOf(since);
  return day >= oldest && day <= today ? day : oldest;
}

function totals(rows) {
  const names = ["requests", "prompt_tokens", "completion_tokens"];
  const [requests, prompt, completion] = names.map((name) => sum(rows, name));
  return { requests, prompt, completion, tokens: prompt + completion };
}

function grouped(rows, name) {
  const groups = new Map();
  for (const row of rows) groups.set(row[name], [...(groups.get(row[name]) ?? []), row]);
  return groups;
}

// The oldest first, and none left out.
function daily(rows, first, today) {
  const groups = grouped(rows, "at");
  const all = Array.from({ length: today - first + 1 }, (_, at) => first + at);
  return all.map((day) => ({ day, ...totals(groups.get(day) ?? []) }));
}

const columns = (used) => [used.requests, used.prompt, used.completion, used.tokens].map(written);

function tile(title, value) {
  return make("div", {}, make("dt", {}, title), make("dd", {}, written(value)));
}

function tiles(rows, today, days) {
  const now = totals(rows.filter((row) => row.at === today));
  const all = totals(rows);
  const span = days === 1 ? "today alone" : `${days} days`;
  return make("dl", { class: "tiles" }, tile("Tokens today", now.tokens), tile("Requests today", now.requests),
    tile(`Tokens, ${span}`, all.tokens), tile(`Requests, ${span}`, all.requests));
}

const HEADS = ["Requests", "Prompt tokens", "Completion tokens", "Tokens"];

function modelTable(rows) {
  const models = [...grouped(rows, "model")].map(([model, own]) => ({ model, ...totals(own) }));
  models.sort((one, other) => other.tokens - one.tokens);
  const lines = models.map((one) => [named(one.model), ...columns(one)]);
  return longTable("By model", ["Model", ...HEADS], lines, { numbers: true, total: ["All", ...columns(totals(rows))] });
}

// What somebody has opened stays open where the data are new.
const isOpen = () => find("usage").querySelector("details[open]") !== null;

function dayTable(days) {
  const lines = days.filter((one) => one.requests || one.tokens).map((one) => [dayText(one.day), ...columns(one)]);
  lines.reverse();
  return make("details", { open: isOpen() ? "" : null }, make("summary", {}, "The chart as a table"),
    table("By day of UTC", ["Day", ...HEADS], lines, { numbers: true }));
}

// --- The chart by day ------------------------------------------------------------------------------------------------

const chart = {
  days: null,
  box: null,
  width: 0,

  of(days) {
    this.days = days;
    this.box = make("div", { class: "chart" });
    this.width = 0;
    watcher.disconnect();
    watcher.observe(this.box);
    return make("figure", {}, make("figcaption", {}, "Tokens by day of UTC ", key("prompt", "prompt, below"), " ",
      key("completion", "completion, on top")), this.box);
  },

  // Drawn for the width that there is, so that its letters are as large as others.
  redraw() {
    const width = this.box ? Math.floor(this.box.clientWidth) : 0;
    if (!width || width === this.width) return;
    this.width = width;
    this.box.replaceChildren(picture(this.days, width, 200));
  },

  forget() {
    watcher.disconnect();
    this.days = null;
    this.box = null;
  },
};

const watcher = new ResizeObserver(() => chart.redraw());

function key(kind, text) {
  return make("span", { class: "key" }, draw("svg", { width: "12", height: "12", "aria-hidden": "true" },
    draw("rect", { class: kind, x: "1", y: "1", width: "10", height: "10" })), text);
}

// A round step of which about four reach the top.
function stepOf(most) {
  const rough = Math.max(1, most / 4);
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((times) => times * power).find((step) => step >= rough && Number.isInteger(step));
}

function picture(days, width, height) {
  const step = stepOf(Math.max(...days.map((one) => one.tokens)));
  const top = step * Math.max(1, Math.ceil(Math.max(...days.map((one) => one.tokens)) / step));
  const area = { left: 44, right: width - 20, top: 10, bottom: height - 24 };
  const y = (value) => area.bottom - (value / top) * (area.bottom - area.top);
  return draw("svg", { role: "img", "aria-label": spoken(days), width, height },
    scale(step, top, area, y), bars(days, area, y), dayLabels(days, area, height));
}

function spoken(days) {
  const best = days.reduce((one, other) => (other.tokens > one.tokens ? other : one));
  const last = days.at(-1);
  return `Tokens by day, ${dayText(days[0].day)} to ${dayText(last.day)}: at most ${written(best.tokens)} on ` +
    `${dayText(best.day)}, ${written(last.tokens)} on the last day. The table below has each day.`;
}

function scale(step, top, area, y) {
  const values = Array.from({ length: Math.round(top / step) + 1 }, (_, at) => at * step);
  return values.map((value) => draw("g", { class: "scale" },
    draw("line", { x1: area.left, x2: area.right, y1: y(value), y2: y(value) }),
    draw("text", { x: area.left - 6, y: y(value) + 4, "text-anchor": "end" }, short.format(value))));
}

function slotOf(days, area) {
  return (area.right - area.left) / days.length;
}

function bars(days, area, y) {
  const slot = slotOf(days, area);
  const wide = Math.min(28, Math.max(2, slot - 3));
  const piece = (kind, x, from, to) => draw("rect", { class: kind, x, y: y(to), width: wide, height: y(from) - y(to) });
  return days.map((one, at) => {
    const x = area.left + at * slot + (slot - wide) / 2;
    return draw("g", { class: "day" }, draw("title", {}, dayTitle(one)),
      draw("rect", { class: "slot", x: area.left + at * slot, y: area.top, width: slot, height: y(0) - area.top }),
      one.prompt ? piece("prompt", x, 0, one.prompt) : null,
      one.completion ? piece("completion", x, one.prompt, one.tokens) : null);
  });
}

function dayTitle(one) {
  const [requests, prompt, completion] = columns(one);
  return `${dayText(one.day)}: ${prompt} prompt, ${completion} completion tokens in ${requests} requests`;
}

function dayLabels(days, area, height) {
  const slot = slotOf(days, area);
  const every = Math.ceil(62 / slot);
  const last = days.length - 1;
  return days.map((one, at) => ((last - at) % every ? null
    : draw("text", { x: area.left + (at + 0.5) * slot, y: height - 6, "text-anchor": "middle" }, shortDay(one.day))));
}

// --- Models ----------------------------------------------------------------------------------------------------------

const mayAsk = (scopes) => scopes.includes("inference") || scopes.includes("admin");

function modelParts(found, patterns, scopes) {
  const parts = [];
  if (!mayAsk(scopes)) {
    parts.push(notice("You may not send requests to models: your client lacks the scope inference."));
    if (found.problem) return parts;
  }
  if (found.problem) return [...parts, ...patternParts(found.problem, patterns)];
  if (!found.models.length) return [...parts, note("There is no model that you may use yet.")];
  const lines = found.models.map((model) => [named(model.name), named(model.details?.parameter_size),
    named(model.details?.quantization_level), size(model.size)]);
  const heads = ["Name", "Parameters", "Quantization", "Size"];
  return [...parts, ...longTable(several(lines.length, "model"), heads, lines)];
}

function patternParts(problem, patterns) {
  const why = problem instanceof Refusal && problem.status === 403
    ? "Your client may not list models, for it lacks the scope models_read."
    : `The list of models cannot be had: ${sentence(problem)}`;
  if (patterns.includes("*")) return [notice(why), note("You may use all models that are there.")];
  if (!patterns.length) return [notice(why), note("You may use none.")];
  return [notice(why), note("You may use those with these names, where * stands for anything:"),
    make("ul", { class: "names" }, patterns.map((pattern) => make("li", {}, make("code", {}, named(pattern)))))];
}

// --- Keys ------------------------------------------------------------------------------------------------------------

const isOld = (one) => String(one.id).endsWith("~old");

const REPLACED = "A key with ~old at the end of its id was replaced: the one before it has a new secret, and the old " +
  "one goes on until its end, so that programs can change.";

function keyParts(keys, used, time) {
  if (!keys.length) return [note("You have no keys.")];
  const lines = keys.map((one) => [keyName(one, used), lastFour(one), begin(one), end(one), keyState(one, time)]);
  const heads = ["Id", "Last four", "Begins", "Ends", "State"];
  return [...longTable(several(keys.length, "key"), heads, lines), ...(keys.some(isOld) ? [note(REPLACED)] : [])];
}

function keyName(one, used) {
  return make("span", { class: "apart" }, named(one.id),
    used !== null && one.id === used ? badge("here", "in use here") : null,
    one.in_path === true ? badge("plain", "may stand in the path") : null);
}

function lastFour(one) {
  return one.last4 === null || one.last4 === undefined ? "–" : make("code", {}, "…", named(one.last4));
}

const begin = (one) => moment(one.not_before) ?? moment(one.created) ?? "–";
const end = (one) => moment(one.expires) ?? "never";

function keyState(one, time) {
  const rest = one.expires ? (new Date(one.expires) - time) / 1000 : Infinity;
  if (rest <= 0) return badge("bad", "ended");
  if (one.is_valid !== true) return notValid(one, time);
  const kind = isOld(one) ? badge("warn", "replaced") : badge("good", "valid");
  return make("span", { class: "apart" }, kind, rest < Infinity ? ending(rest) : null);
}

function notValid(one, time) {
  return new Date(one.not_before ?? NaN) > time ? badge("plain", "not valid yet") : badge("bad", "not valid");
}

const ending = (rest) => badge(rest < SOON * 86400 ? "warn" : "plain", `ends in ${duration(rest)}`);

// --- Lines to paste --------------------------------------------------------------------------------------------------

// An address that a shell would read as more than an address is not put into lines.
function origin() {
  return /^https?:\/\/[A-Za-z0-9.:[\]-]+$/.test(location.origin) ? location.origin : "$GATEHOUSE_URL";
}

function pastable(models, patterns) {
  const names = models.length ? models.map((model) => model.name) : patterns;
  return names.filter(isPlain);
}

function linesOf(account, keys) {
  const usable = keys.filter((one) => one.is_valid === true);
  const user = isPlain(account.client) ? account.client : "USER";
  return {
    user: usable.length ? null : user,
    inPath: usable.filter((one) => one.in_path === true).map((one) => one.id),
  };
}

// One line: a second one that is pasted with it would be read as the key.
const ENVIRONMENT = "read -rs GATEHOUSE_KEY && export GATEHOUSE_KEY";

function curlLines(model, lines) {
  const who = lines.user === null ? '-H "Authorization: Bearer $GATEHOUSE_KEY"' : `-u ${lines.user}`;
  return `curl "${origin()}/api/tags" ${who}
curl "${origin()}/v1/models" ${who}
curl -N "${origin()}/api/generate" ${who} -d '{"model": "${model}", "prompt": "hi"}'`;
}

function pythonLines(model) {
  return `import os

from openai import OpenAI

client = OpenAI(base_url="${origin()}/v1", api_key=os.environ["GATEHOUSE_KEY"])
print(client.chat.completions.create(model="${model}", messages=[{"role": "user", "content": "hi"}]))`;
}

function scriptLines(model) {
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: "${origin()}/v1", apiKey: process.env.GATEHOUSE_KEY });
const messages = [{ role: "user", content: "hi" }];
console.log(await client.chat.completions.create({ model: "${model}", messages }));`;
}

function continueLines(model) {
  return `models:
  - name: "${model}"
    provider: openai
    model: "${model}"
    apiBase: ${origin()}/v1
    apiKey: \${{ secrets.GATEHOUSE_KEY }}`;
}

function ollamaLines(model) {
  return `OLLAMA_HOST="${origin()}/key/$GATEHOUSE_KEY" ollama run ${model}`;
}

const say = (text) => make("code", {}, text);
const isSecure = location.protocol === "https:";
const trust = (...how) => (isSecure
  ? [note("If the certificate is not trusted, it is of a private CA: ask whoever gave you the key for its ", say("ca.pem"),
    ", and ", ...how, ".")]
  : []);
const NO_KEY = "This needs a key, and you have none that is valid: ask whoever runs the gateway for one.";
const needsKey = (lines) => (lines.user === null ? [] : [notice(NO_KEY)]);

function curlParts(model, lines) {
  const word = lines.user === null
    ? note("With a password instead of a key: ", say("-u"), " and your user; curl asks for the password.")
    : note("curl asks for your password.");
  return [paste("curl", curlLines(model, lines)), word, ...trust("begin with ", say("curl --cacert ca.pem"))];
}

function pythonParts(model, lines) {
  return [...needsKey(lines), paste("Python", pythonLines(model)),
    note("First ", say("pip install openai"), ". Other SDKs are told the same two: the address with ", say("/v1"),
      ", and the key."), ...trust("set ", say("SSL_CERT_FILE=ca.pem"))];
}

function scriptParts(model, lines) {
  return [...needsKey(lines), paste("JavaScript", scriptLines(model)),
    note("First ", say("npm install openai"), ", then as a file ", say("ask.mjs"), " for Node.js."),
    ...trust("set ", say("NODE_EXTRA_CA_CERTS=ca.pem"))];
}

function continueParts(model, lines) {
  return [...needsKey(lines), note("For VS Code and JetBrains, in ", say("~/.continue/config.yaml"), ":"),
    paste("Continue", continueLines(model)),
    note("The key goes into ", say("~/.continue/.env"), " as ", say("GATEHOUSE_KEY=…"), ". Other editors ask for ",
      "the same: the address with ", say("/v1"), ", the key, and a model.")];
}

function ollamaParts(model, lines) {
  const why = note("The ", say("ollama"), " command can send a key in the path of its address only.");
  if (!lines.inPath.length || !isSecure) {
    return [why, notice("None of your keys may stand there. Whoever runs the gateway has to set ", say("in_path: true"),
      " for one of them, and the gateway has to speak HTTPS.")];
  }
  const names = lines.inPath.flatMap((id, at) => [at ? ", " : "", make("code", {}, named(id))]);
  return [why, paste("ollama", ollamaLines(model)), note("Only a key that may stand there will do: ", ...names,
    ". Whoever sees the address sees the key: use it for nothing else, and have it in GATEHOUSE_KEY here."),
    ...trust("set ", say("SSL_CERT_FILE=ca.pem"))];
}

const PROGRAMS = [
  { id: "curl", title: "curl", parts: curlParts },
  { id: "python", title: "Python", parts: pythonParts },
  { id: "javascript", title: "JavaScript", parts: scriptParts },
  { id: "continue", title: "Continue", parts: continueParts },
  { id: "ollama", title: "ollama", parts: ollamaParts },
];

function showLines(lines, models) {
  const chosen = find("model").value;
  const names = models.length ? models : ["MODEL"];
  find("model").replaceChildren(...names.map((name) => make("option", { value: name }, name)));
  if (models.includes(chosen)) find("model").value = chosen;
  find("model").onchange = () => fillPanels(lines);
  find("environment").replaceChildren(...(lines.user === null ? [paste("the environment", ENVIRONMENT)] : []));
  find("connect-hint").hidden = lines.user !== null;
  if (!find("tabs").childElementCount) makeTabs();
  fillPanels(lines);
}

function fillPanels(lines) {
  const model = find("model").value;
  for (const { id, parts } of PROGRAMS) find(`panel-${id}`).replaceChildren(...parts(model, lines));
}

function makeTabs() {
  find("tabs").replaceChildren(...PROGRAMS.map((program) => button(program.title, () => choose(program.id),
    { role: "tab", id: `tab-${program.id}`, "aria-controls": `panel-${program.id}` })));
  find("panels").replaceChildren(...PROGRAMS.map((program) => make("div",
    { role: "tabpanel", id: `panel-${program.id}`, "aria-labelledby": `tab-${program.id}`, tabindex: "0" })));
  choose(PROGRAMS[0].id);
}

function choose(id) {
  for (const program of PROGRAMS) {
    const is = program.id === id;
    find(`tab-${program.id}`).setAttribute("aria-selected", String(is));
    find(`tab-${program.id}`).tabIndex = is ? 0 : -1;
    find(`panel-${program.id}`).hidden = !is;
  }
}

function moveTab(event) {
  const at = PROGRAMS.findIndex((program) => event.target.id === `tab-${program.id}`);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: PROGRAMS.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  const { id } = PROGRAMS[(to + PROGRAMS.length) % PROGRAMS.length];
  choose(id);
  find(`tab-${id}`).focus();
}

function paste(title, text) {
  const code = make("code", {}, text);
  return make("div", { class: "paste" }, make("pre", {}, code),
    button("Copy", (node) => copy(code, title, node), { "aria-label": `Copy the lines for ${title}` }));
}

async function copy(code, title, node) {
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    // Without HTTPS a page has no clipboard: select the text and have the browser copy it.
    getSelection().selectAllChildren(code);
    if (!document.execCommand("copy")) return tellCopied(node, "Press Ctrl+C", "The lines are selected: copy them.");
  }
  return tellCopied(node, "Copied", `The lines for ${title} are copied.`);
}

function tellCopied(node, text, told) {
  node.textContent = text;
  find("copied").textContent = told;
  setTimeout(() => { node.textContent = "Copy"; find("copied").textContent = ""; }, 2000);
}

// --- Begin -----------------------------------------------------------------------------------------------------------

find("host").textContent = location.host;
find("sign-in").addEventListener("submit", signIn);
for (const id of ["with-key", "with-password"]) find(id).addEventListener("change", showFields);
find("refresh").addEventListener("click", refresh);
find("sign-out").addEventListener("click", () => signOut());
find("tabs").addEventListener("keydown", moveTab);
// A page that the browser keeps to go back to holds nothing.
addEventListener("pagehide", () => signOut());
showFields();
