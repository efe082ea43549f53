// The page: reads the farm, listens to what changes, and reads again what did.
import {element, eventRow, failureRow, groupRow, jobDetail, jobRow, stitcherRow} from "/view.js";
import {fillBundles, setUpForm} from "/form.js";

const byId = (id) => document.getElementById(id);
const state = {jobs: new Map(), order: [], limit: 50, chosen: null, compared: null, detail: ""};

async function call(path, {body = null, type = "application/json", method = body === null ? "GET" : "POST"} = {}) {
  const headers = body !== null && body !== "" ? {"Content-Type": type} : {};
  const answer = await fetch(path, {method, headers, body: method === "GET" ? null : body ?? ""});
  const text = await answer.text();
  if (answer.status === 401 && path !== "/api/session") showLogin();
  const document = text ? JSON.parse(text) : {};
  if (!answer.ok) throw new Error(document.error ?? `the farm answered ${answer.status}`);
  return document;
}

const post = (path, body) => call(path, {method: "POST", body: body ? JSON.stringify(body) : ""});

// ---- jobs

function drawList() {
  byId("list").replaceChildren(...state.order.map((id) => jobRow(state.jobs.get(id), id === state.chosen, choose)));
  const counts = {};
  for (const job of state.jobs.values()) counts[job.state] = (counts[job.state] ?? 0) + 1;
  const words = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  byId("farm").textContent = words.length ? `shown: ${words.join(", ")}` : "no jobs";
  byId("more").hidden = state.order.length < state.limit;
}

async function readJobs() {
  const query = new URLSearchParams({limit: state.limit});
  if (byId("state").value) query.set("state", byId("state").value);
  if (byId("project-filter").value) query.set("project", byId("project-filter").value);
  const {jobs} = await call(`/api/jobs?${query}`);
  state.order = jobs.map((job) => job.job);
  state.jobs = new Map(jobs.map((job) => [job.job, job]));
  drawList();
}

async function readDetail() {
  if (!state.chosen) return;
  const id = state.chosen;
  const [job, takes] = await Promise.all([call(`/api/jobs/${id}`), call(`/api/jobs/${id}/takes`)]);
  if (id !== state.chosen) return;
  drawDetail(job, takes);
  await readStory();
}

/// Why the chosen job is where it is and what has happened to it: asked only while somebody looks.
async function readStory() {
  const id = state.chosen;
  const parts = [
    ["why", "why", (answer) => answer.reasons.map((reason) => element("li", {}, reason.text))],
    ["events", "events?limit=200", (answer) => answer.events.reverse().map(eventRow)],
  ];
  await Promise.all(parts.map(async ([name, path, rows]) => {
    if (!byId(name).open || !id) return;
    const answer = await call(`/api/jobs/${id}/${path}`);
    if (id === state.chosen) byId(name).querySelector("ul, ol").replaceChildren(...rows(answer));
  }));
}

/// Leaves the elements alone while nothing has changed, and the playing videos while only the rest has.
function drawDetail(job, takes) {
  const now = JSON.stringify([job, takes, state.compared]);
  if (now === state.detail) return;
  state.detail = now;
  const playing = byId("detail").querySelector(".videos");
  const section = byId("detail-body");
  const key = JSON.stringify([job.job, job.output, state.compared, takes.takes.length, takes.used]);
  const parts = jobDetail(job, takes, state.compared, (verb, body) => changeJob(job.job, verb, body), compare);
  if (playing && section.dataset.videos === key) {
    const fresh = parts.map((part) => (part.matches(".videos") ? part : part.querySelector(".videos"))).find(Boolean);
    if (fresh) {
      const at = parts.indexOf(fresh);
      if (at >= 0) parts[at] = playing;
      else fresh.replaceWith(playing);
    }
  }
  section.dataset.videos = key;
  section.replaceChildren(...parts);
  byId("detail").hidden = false;
}

function choose(id) {
  if (state.chosen !== id) state.compared = null;
  state.chosen = id;
  state.detail = "";
  location.hash = id;
  drawList();
  guarded(readDetail)();
}

function compare(id) {
  state.compared = id || null;
  guarded(readDetail)();
}

async function changeJob(id, verb, body) {
  if (verb === "cancel" && !confirm("Cancel this job? What is done is kept.")) return;
  try {
    const answer = await post(`/api/jobs/${id}/${verb}`, body);
    if (verb === "reroll") choose(answer.jobs[0].job);
  } catch (error) {
    byId("detail-error").textContent = error.message;
    return;
  }
  await Promise.all([readJobs(), readDetail()]);
}

// ---- groups and failures

async function readFarm() {
  const [{groups, stitchers, paused}, failures] = await Promise.all([call("/api/groups"), call("/api/failures?limit=20")]);
  const act = async (group, verb) => {
    await post(`/api/groups/${encodeURIComponent(group)}/${verb}`);
    await readFarm();
  };
  const rows = [...groups.map((group) => groupRow(group, guarded(act))), ...stitchers.map(stitcherRow)];
  byId("groups").replaceChildren(...(rows.length ? rows : [element("li", {class: "small"}, "none")]));
  byId("pause-farm").textContent = paused ? "Let the farm go on" : "Pause the farm";
  byId("pause-farm").dataset.verb = paused ? "resume" : "pause";
  byId("farm-paused").hidden = !paused;
  byId("farm-paused").textContent = paused ? `The farm is paused by ${paused.by}: no window starts.` : "";
  const failed = failures.jobs.map((failure) => failureRow(failure, choose));
  byId("failures").replaceChildren(...(failed.length ? failed : [element("li", {class: "small"}, "none")]));
}

// ---- what changes

let running = false;
let wanted = {jobs: new Set(), everything: false, groups: false};

/// One reading at a time: what changes meanwhile is read after it.
async function refresh() {
  if (running) return;
  running = true;
  while (wanted.jobs.size || wanted.everything || wanted.groups) {
    const now = wanted;
    wanted = {jobs: new Set(), everything: false, groups: false};
    const readings = [];
    if (now.everything || now.jobs.size) readings.push(readJobs());
    if (now.everything || now.jobs.has(state.chosen)) readings.push(readDetail());
    readings.push(readFarm());
    await Promise.all(readings).catch(report);
  }
  running = false;
}

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    change.jobs.forEach((job) => wanted.jobs.add(job));
    wanted.everything ||= change.everything;
    wanted.groups ||= change.groups;
    refresh();
  });
  events.onerror = () => {
    byId("farm").textContent = "the farm cannot be reached; trying again";
  };
}

function report(error) {
  byId("farm").textContent = error.message;
}

const guarded = (action) => (...given) => Promise.resolve(action(...given)).catch(report);

// ---- beginning

function showLogin() {
  byId("login").hidden = false;
  byId("main").hidden = true;
  byId("token").focus();
}

async function open() {
  byId("login").hidden = true;
  byId("main").hidden = false;
  if (/^#j[0-9a-z]{12}$/.test(location.hash)) state.chosen = location.hash.slice(1);
  listen();
  await fillBundles(call);
}

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await post("/api/session", {token: byId("token").value});
    byId("token").value = "";
    byId("login-error").textContent = "";
    byId("leave").hidden = false;
    await open();
  } catch (error) {
    byId("login-error").textContent = error.message;
  }
});
byId("leave").addEventListener("click", async () => {
  await post("/api/session/end");
  location.reload();
});
byId("new").addEventListener("click", () => {
  byId("submit").hidden = !byId("submit").hidden;
  if (!byId("submit").hidden) byId("prompt").focus();
});
byId("pause-farm").addEventListener("click", guarded(async () => {
  await post(`/api/farm/${byId("pause-farm").dataset.verb}`);
  await readFarm();
}));
for (const name of ["why", "events"]) byId(name).addEventListener("toggle", guarded(readStory));
byId("state").addEventListener("change", guarded(readJobs));
byId("project-filter").addEventListener("change", guarded(readJobs));
byId("more").addEventListener("click", () => {
  state.limit = Math.min(500, state.limit * 2);
  guarded(readJobs)();
});
setUpForm(call, (job) => {
  byId("submit").hidden = true;
  choose(job);
});
// Groups say that they are there without anything changing.
setInterval(() => {
  if (document.hidden || byId("main").hidden) return;
  wanted.groups = true;
  refresh();
}, 5000);

const session = await call("/api/session");
byId("leave").hidden = !(session.token_wanted && session.allowed);
if (session.allowed) await guarded(open)();
else showLogin();
