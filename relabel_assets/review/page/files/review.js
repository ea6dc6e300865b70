// The review page: shows a pair, sends what the assessor does, and goes on once it is on the server's disk.
//
// Texts of data become text nodes, never markup. An action has an id, and is kept in this browser until the
// server has confirmed it: sent twice, it counts once.
"use strict";

const RETRY_MS = 2000;
const DEAD_MS = 200; // after a new pair: a key that was hit twice must not grade a pair unread
const WITHOUT_ANSWER = {
  401: "The server asks for its token. Open the address that relabel review serve printed.",
  413: "The note is too long.",
};
const byId = (id) => document.getElementById(id);

let start = null; // who grades, and the rubric
let shown = null; // what the server said last
let shownAt = 0;
let isBusy = false;
let retryNow = null; // what the button of the alert does
let isSkippedRound = false; // going through the skipped pairs
const drafts = new Map(); // notes that no grade has saved yet
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("relabel-review") : null;

// Requests

async function ask(path, parameters) {
  const query = new URLSearchParams(parameters);
  return answerOf(await fetch(`/api/${path}?${query}`));
}

async function answerOf(response) {
  const answer = await response.json().catch(() => null);
  if (response.ok || response.status === 409) return { isConflict: response.status === 409, answer };
  const error = new Error(answer ? answer.error : WITHOUT_ANSWER[response.status] || `The server says ${response.status}.`);
  error.isFinal = [400, 404, 413].includes(response.status);
  error.isAnswered = true;
  throw error;
}

// Actions: kept in this browser, sent, shown

function storageKey(id) {
  return `relabel-review/${start.corpus}/${start.assessor}/${id}`;
}

function kept() {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(storageKey(""))).sort();
  } catch {
    return []; // the browser has no storage for this page
  }
}

function act(action, target, grade) {
  if (isBusy || !target) return;
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  const id = Date.now().toString(36) + "-" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const { query_id, doc_id, content_hash, seen } = target;
  const note = action === "undo" ? null : byId("note").value.trim() || null;
  const request = { request_id: id, assessor: start.assessor, action, query_id, doc_id, content_hash, seen, note };
  if (action === "grade") request.grade = grade;
  const text = JSON.stringify({ ...request, skipped: isSkippedRound });
  try {
    localStorage.setItem(storageKey(id), text);
  } catch {
    // Full or forbidden: then the grade is kept by this tab alone.
  }
  send(id, text, describe(action, grade));
}

async function send(id, text, what) {
  setBusy(true);
  byId("status").textContent = "";
  const headers = { "Content-Type": "application/json" };
  const post = async () => answerOf(await fetch("/api/review", { method: "POST", headers, body: text }));
  const remark = ` Not saved yet: ${what}. It is kept in this browser and sent again every 2 seconds.`;
  try {
    const { isConflict, answer } = await untilAnswered(post, remark);
    const { query_id, doc_id } = JSON.parse(text);
    drafts.delete(`${query_id} ${doc_id}`);
    show(answer, isConflict ? "" : `Saved: ${what}.`);
    if (isConflict) showAlert(`Not saved: ${what}. ${answer.error}`);
    if (tabs) tabs.postMessage("changed");
  } catch (error) {
    showAlert(`Not saved: ${what}. ${error.message}`);
  }
  forget(id);
  setBusy(false);
}

// Repeat `work` until the server has answered. Throws what repeating does not mend.
async function untilAnswered(work, remark) {
  for (;;) {
    try {
      const result = await work();
      byId("alert").hidden = true;
      return result;
    } catch (error) {
      if (error.isFinal) throw error;
      const why = error.isAnswered ? error.message : "The server does not answer. Is relabel review serve running?";
      await new Promise((retry) => {
        showAlert(why + remark, retry);
        setTimeout(retry, RETRY_MS);
      });
    }
  }
}

function forget(id) {
  try {
    localStorage.removeItem(storageKey(id));
  } catch {
    // As above.
  }
}

function describe(action, grade) {
  if (action === "grade") return `${grade} (${start.grades[grade].name})`;
  return action === "skip" ? "skipped" : "the last one is undone";
}

// Going to a pair

async function go(parameters, message) {
  if (isBusy) return;
  setBusy(true);
  try {
    const { answer } = await untilAnswered(() => ask("pair", { assessor: start.assessor, ...parameters }), "");
    show(answer, message || "");
  } catch (error) {
    showAlert(error.message);
  }
  setBusy(false);
}

function next() {
  if (shown.pair) go({ after: shown.pair.place, skipped: isSkippedRound ? "1" : "0" });
}

function previous() {
  go({ at: shown.pair ? shown.pair.place - 1 : shown.n_pairs - 1 });
}

// Another tab of this assessor may have graded the pair that is shown here.
async function lookAgain() {
  if (!shown || !shown.pair || isBusy || byId("note").value !== savedNote()) return;
  try {
    const { place, seen, query_id, doc_id } = shown.pair;
    const { answer } = await ask("pair", { assessor: start.assessor, at: place });
    const isSame = answer.pair.query_id === query_id && answer.pair.doc_id === doc_id && answer.pair.seen === seen;
    if (isBusy || !shown.pair || shown.pair.place !== place) return;
    if (isSame) showProgress(answer);
    else go(answer.pair.review ? { after: place } : { at: place }, "This pair was graded in another tab.");
  } catch {
    // The next action says that the server is gone.
  }
}

// Showing

function show(state, message) {
  shown = state;
  shownAt = performance.now();
  byId("status").textContent = message;
  showProgress(state);
  const pair = state.pair;
  byId("pair").hidden = !pair;
  byId("controls").hidden = !pair;
  byId("rubric-box").hidden = !pair;
  byId("finished").hidden = Boolean(pair);
  if (pair) showPair(pair);
  else showFinished(state);
  window.scrollTo(0, 0);
  byId(pair ? "query" : "finished-title").focus({ preventScroll: true });
}

function showPair(pair) {
  byId("query").textContent = pair.query;
  byId("title").replaceChildren(...nodes(pair.title));
  byId("title").hidden = pair.title.length === 0;
  byId("metadata").replaceChildren(...pair.metadata.map(([name, segments]) => {
    const row = document.createElement("div");
    row.append(element("dt", name), element("dd", ...nodes(segments)));
    row.lastChild.dir = "auto";
    return row;
  }));
  byId("body").replaceChildren(piece(pair.body));
  showMore(pair.body);
  showStanding(pair);
  byId("note").value = drafts.get(`${pair.query_id} ${pair.doc_id}`) ?? pair.note;
  openNote(Boolean(byId("note").value));
  for (const button of byId("grade-buttons").children) {
    button.setAttribute("aria-pressed", String(Boolean(pair.review) && pair.review.grade === Number(button.value)));
  }
  setBusy(isBusy);
}

function showStanding(pair) {
  let text = "";
  if (pair.is_changed) text = "You graded this pair before. Its text has changed since: please grade it again.";
  else if (pair.review && pair.review.action === "skip") text = "You skipped this pair. A grade replaces that.";
  else if (pair.review) text = `You said: ${describe(pair.review.action, pair.review.grade)}. Another grade replaces it.`;
  byId("standing").textContent = text;
  byId("standing").hidden = !text;
}

function showProgress(state) {
  const parts = [`${state.n_graded} of ${state.n_pairs} graded`];
  if (state.n_skipped) parts.push(`${state.n_skipped} skipped`);
  if (state.n_left && state.seconds_left !== null) parts.push(`${duration(state.seconds_left)} left`);
  byId("progress-text").textContent = parts.join(", ");
  byId("progress").max = state.n_pairs;
  byId("progress").value = state.n_pairs - state.n_left;
}

function showFinished(state) {
  byId("finished-text").textContent = `${state.n_graded} graded, ${state.n_skipped} skipped. You can close this page.`;
  byId("again").hidden = state.n_skipped === 0;
  byId("finished-undo").hidden = !state.last;
}

function showMore(body) {
  byId("more").hidden = body.end >= body.n_characters;
  byId("show-all").disabled = false;
  const count = (n) => n.toLocaleString("en");
  byId("show-all").textContent = `Show all ${count(body.n_characters)} characters (${count(body.end)} are shown)`;
}

async function showAll() {
  const pair = shown.pair;
  let end = pair.body.end;
  byId("show-all").disabled = true;
  try {
    while (end < pair.body.n_characters) {
      const { query_id, doc_id } = pair;
      const { answer } = await ask("piece", { assessor: start.assessor, query_id, doc_id, start: end });
      if (!shown.pair || shown.pair !== pair) return;
      byId("body").append(piece(answer));
      end = answer.end;
      byId("show-all").textContent = `Loading: ${Math.floor((100 * end) / pair.body.n_characters)} %`;
    }
    byId("more").hidden = true;
    byId("query").focus({ preventScroll: true });
    byId("status").textContent = "All of the document is shown.";
  } catch {
    pair.body.end = end;
    showMore(pair.body);
    byId("status").textContent = "The rest could not be loaded. Try again.";
  }
}

function nodes(segments) {
  return segments.map(([text, isMarked]) => (isMarked ? element("mark", text) : document.createTextNode(text)));
}

function piece(part) {
  const block = element("div", ...nodes(part.segments));
  block.className = "piece";
  return block;
}

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function duration(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "under a minute";
  return minutes < 60 ? `about ${minutes} min` : `about ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// The same alert again changes nothing: it would be read aloud every two seconds, and lose the focus.
function showAlert(text, retry) {
  const box = byId("alert");
  retryNow = retry;
  if (!box.hidden && box.firstChild.data === text) return;
  box.replaceChildren(text);
  if (retry) {
    const button = element("button", "Try now");
    button.addEventListener("click", () => retryNow());
    box.append(button);
  }
  box.hidden = false;
}

function setBusy(busy) {
  isBusy = busy;
  for (const button of byId("controls").querySelectorAll("button")) {
    if (button.id !== "help-button" && button.id !== "rubric-button") button.disabled = busy;
  }
  if (!busy && shown) {
    byId("undo").disabled = !shown.last;
    byId("previous").disabled = !shown.pair || shown.pair.place === 0;
  }
}

function savedNote() {
  return shown.pair ? shown.pair.note : "";
}

function openNote(isOpen) {
  byId("note-box").hidden = !isOpen;
  byId("note-button").setAttribute("aria-expanded", String(isOpen));
}

function writeNote() {
  openNote(true);
  byId("note").focus();
}

function leaveNote() {
  openNote(Boolean(byId("note").value));
  byId("query").focus({ preventScroll: true });
}

function showRubric() {
  byId("rubric").open = !byId("rubric").open;
}

// Keys

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (byId("desk").hidden || byId("help").open) return;
  if (event.target.id === "note") {
    if (event.key === "Escape") leaveNote();
    return;
  }
  if (event.key === "Enter" && event.target.closest("button, a, summary")) return; // it does what it says
  const action = actionOf(keyOf(event));
  if (!action) return;
  event.preventDefault();
  if (!event.repeat && performance.now() - shownAt >= DEAD_MS) action();
}

// The key by its letter. Where the layout has another script, or needs Shift for digits: by its place.
function keyOf(event) {
  const isOther = event.key.length === 1 && !/[a-z0-9]/i.test(event.key) && !event.shiftKey;
  const place = isOther && /^(?:Key|Digit)(.)$/.exec(event.code);
  const key = place ? place[1] : event.key;
  return key.length === 1 ? key.toLowerCase() : key;
}

function actionOf(key) {
  if (key === "r") return showRubric;
  if (key === "?") return () => byId("help").showModal();
  if (key === "u") return () => act("undo", shown.last);
  if (key === "ArrowLeft") return previous;
  if (!shown || !shown.pair) return null;
  if (/^[0-9]$/.test(key) && Number(key) < start.grades.length) return () => act("grade", shown.pair, Number(key));
  return { s: () => act("skip", shown.pair), n: writeNote, ArrowRight: next, Enter: next }[key];
}

// The beginning

function prepare() {
  byId("assessor").textContent = start.assessor;
  byId("help-max").textContent = String(start.grades.length - 1);
  byId("grade-buttons").replaceChildren(...start.grades.map(({ grade, name }) => {
    const button = element("button", element("kbd", String(grade)), ` ${name}`);
    button.type = "button";
    button.value = String(grade);
    button.addEventListener("click", () => act("grade", shown.pair, grade));
    return button;
  }));
  byId("grades").replaceChildren(...start.grades.flatMap(({ grade, name, meaning }) => [
    element("dt", `${grade}: ${name}`),
    element("dd", meaning),
  ]));
  byId("rules").replaceChildren(...start.guidance.map((rule) => element("li", rule)));
  byId("rules-title").hidden = byId("rules").hidden = start.guidance.length === 0;
  const wide = window.matchMedia("(min-width: 64rem)"); // as in review.css: there it covers nothing
  const showBeside = () => (byId("rubric").open = wide.matches);
  wide.addEventListener("change", showBeside);
  showBeside();
  const clicks = {
    previous,
    next,
    skip: () => act("skip", shown.pair),
    undo: () => act("undo", shown.last),
    "finished-undo": () => act("undo", shown.last),
    "note-button": () => (byId("note-box").hidden ? writeNote() : leaveNote()),
    "rubric-button": showRubric,
    "help-button": () => byId("help").showModal(),
    "show-all": showAll,
    again: () => {
      isSkippedRound = true;
      go({ skipped: "1" });
    },
  };
  for (const [id, action] of Object.entries(clicks)) byId(id).addEventListener("click", action);
  byId("note").addEventListener("input", () => {
    drafts.set(`${shown.pair.query_id} ${shown.pair.doc_id}`, byId("note").value);
  });
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => document.hidden || lookAgain());
  if (tabs) tabs.addEventListener("message", lookAgain);
}

async function begin() {
  const address = new URL(location.href);
  const name = address.searchParams.get("assessor");
  if (address.searchParams.has("token")) {
    // The cookie has it now: it must not stay in the history, or be sent on in a link.
    address.searchParams.delete("token");
    history.replaceState(null, "", address);
  }
  try {
    start = (await ask("start", name === null ? {} : { assessor: name })).answer;
  } catch (error) {
    showAlert(error.isAnswered ? error.message : "The server does not answer. Start it, then reload this page.");
    byId("welcome").hidden = !error.isFinal;
    return;
  }
  document.title = `Review: ${start.corpus}`;
  for (const place of document.querySelectorAll(".corpus")) place.textContent = start.corpus;
  byId("welcome").hidden = Boolean(start.assessor);
  byId("desk").hidden = !start.assessor;
  if (!start.assessor) {
    byId("names").replaceChildren(...start.assessors.map((known) => new Option(known)));
    byId("name").focus();
    return;
  }
  prepare();
  sendKept();
}

// What an earlier visit could not send, then the first pair.
async function sendKept() {
  for (const key of kept()) {
    const text = localStorage.getItem(key);
    const { request_id, action, grade } = JSON.parse(text);
    await send(request_id, text, describe(action, grade));
  }
  if (!shown) go({});
}

begin();
