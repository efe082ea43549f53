// Makes elements from what the API answers. Text goes in as text, never as markup.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined) made.append(child);
  }
  return made;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const badge = (state) => element("span", {class: `state is-${state}`}, state);
const title = (job) => job.name || job.prompt || job.job;

export function jobRow(job, chosen, choose) {
  const total = job.windows;
  const facts = [`${job.windows_done}/${total || "?"} windows`];
  if (job.take > 1) facts.push(`take ${job.take}`);
  if (job.project) facts.push(job.project);
  if (job.seconds_left !== null) facts.push(`${duration(job.seconds_left)} left`);
  const reason = job.error || job.waiting || job.hold;
  return element("li", {class: chosen ? "chosen" : "", "data-job": job.job},
    element("button", {type: "button", onclick: () => choose(job.job)},
      element("div", {class: "row"}, element("span", {class: "title"}, title(job)), badge(job.state)),
      element("div", {class: "small"}, facts.join(" · ")),
      total && job.state === "running" ? element("progress", {max: total, value: job.windows_done}) : null,
      reason ? element("div", {class: "small error"}, reason) : null));
}

function windowBox(job, window, act) {
  const frame = `/api/jobs/${job.job}/windows/${window.index}/frame?width=240`;
  const shown = (src, alt, otherwise) => element("img", {src, alt, loading: "lazy",
    onerror: (event) => event.target.replaceWith(element("div", {class: "none small"}, otherwise))});
  const working = window.state === "running" ? window.phase || "starting" : "";
  // The step is in the address so that each is asked for once.
  const preview = `/api/jobs/${job.job}/windows/${window.index}/preview?step=${window.attempt}.${window.phase}.${window.step}`;
  let picture = element("div", {class: "none small"}, working);
  if (window.has_frames) picture = shown(frame, `last frame of window ${window.index}`, "frames not kept");
  else if (working && window.step > 0) picture = shown(preview, `window ${window.index} so far`, working);
  const step = window.state === "running" && window.phase === "step" ? ` ${window.step}/${window.steps}` : "";
  const speed = window.state === "done" && window.seconds > 0 && window.frames
    ? ` · ${(window.frames / window.seconds).toFixed(1)} frames/s` : "";
  return element("div", {class: "window", title: [window.host, window.owner, window.error].filter(Boolean).join("\n")},
    picture,
    element("div", {class: "row small"}, element("span", {}, `#${window.index}`), badge(window.state)),
    element("progress", {max: 1, value: window.fraction, "aria-label": `window ${window.index}`}),
    element("div", {class: "small"}, (window.seconds ? duration(window.seconds) : window.detail) + step + speed),
    window.attempt > 1 ? element("div", {class: "small"}, `attempt ${window.attempt}`) : null,
    window.error ? element("div", {class: "small error"}, window.error) : null,
    job.state === "done" ? element("button", {type: "button", onclick: () => act("reroll", {window: window.index})},
      "Reroll from here") : null);
}

function video(take, label) {
  return element("figure", {},
    element("video", {src: `/api/jobs/${take}/video`, controls: true, preload: "metadata", playsInline: true}),
    element("figcaption", {class: "small"}, label));
}

/// Starts, pauses and seeks two videos together.
function together(first, second) {
  for (const [one, other] of [[first, second], [second, first]]) {
    one.addEventListener("play", () => other.paused && other.play());
    one.addEventListener("pause", () => !other.paused && other.pause());
    one.addEventListener("seeked", () => {
      if (Math.abs(other.currentTime - one.currentTime) > 0.05) other.currentTime = one.currentTime;
    });
  }
}

function videos(job, takes, compared, compare) {
  if (!job.has_video) return null;
  const shown = element("div", {class: "videos"}, video(job.job, `take ${job.take}${job.partial ? ", partial" : ""}`));
  const others = takes.takes.filter((take) => take.job !== job.job && take.has_video);
  const other = others.find((take) => take.job === compared);
  if (other) {
    shown.append(video(other.job, `take ${other.take}`));
    together(...shown.querySelectorAll("video"));
  }
  if (others.length === 0) return shown;
  const choice = element("select", {"aria-label": "Compare with", onchange: (event) => compare(event.target.value)},
    element("option", {value: ""}, "compare with…"),
    ...others.map((take) => element("option", {value: take.job, selected: take.job === compared}, `take ${take.take}`)));
  return element("div", {}, shown, element("p", {}, choice));
}

function buttons(job, takes, act) {
  const over = ["done", "failed", "cancelled"].includes(job.state);
  const made = [];
  const add = (text, verb, body) =>
    made.push(element("button", {type: "button", "data-verb": verb, onclick: () => act(verb, body)}, text));
  if (!over) add("Cancel", "cancel");
  if (!over && !job.paused && job.state !== "submitted") add("Pause", "pause");
  if (job.paused || job.state === "held") add("Resume", "resume");
  if (job.state === "failed" || job.state === "cancelled") add("Retry", "retry");
  if (job.state === "done" && takes.takes.length > 1 && takes.used !== job.take) add("Use this take", "use", {take: job.take});
  return element("div", {class: "buttons"}, ...made);
}

export function jobDetail(job, takes, compared, act, compare) {
  const facts = [job.job, `${job.windows_done}/${job.windows.length || "?"} windows`];
  if (job.frames) facts.push(`${job.frames} frames`);
  if (job.spec.seed !== undefined) facts.push(`seed ${job.spec.seed}`);
  if (job.seconds_left !== null) facts.push(`${duration(job.seconds_left)} left`);
  if (job.stitching) facts.push(`stitching ${Math.round(job.stitched * 100)} %`);
  const reason = job.error || job.waiting || job.hold;
  return [
    element("div", {class: "row"}, element("h2", {class: "title"}, title(job)), badge(job.state)),
    element("p", {class: "small"}, facts.join(" · ")),
    reason ? element("p", {class: "error"}, reason) : null,
    element("p", {class: "prompt"}, job.prompt),
    buttons(job, takes, act),
    videos(job, takes, compared, compare),
    element("div", {id: "timeline"}, ...job.windows.map((window) => windowBox(job, window, act))),
    element("p", {class: "error", id: "detail-error", role: "alert"}),
  ].filter(Boolean);
}

export function groupRow(group, act) {
  const device = `${group.ranks} × ${group.device_name || group.device}`;
  const verb = group.drain_requested ? "undrain" : "drain";
  return element("li", {},
    element("div", {class: "row"}, element("span", {class: "title"}, group.host), badge(group.state)),
    element("div", {class: "small"}, [device, group.dtype, group.bundle].filter(Boolean).join(" · ")),
    group.tasks.length ? element("div", {class: "small"}, group.tasks.join(" ")) : null,
    group.note ? element("div", {class: "small error"}, group.note) : null,
    group.state === "gone" ? null : element("button", {type: "button", onclick: () => act(group.group, verb)},
      verb === "drain" ? "Drain" : "Take work again"));
}

export function stitcherRow(stitcher) {
  return element("li", {},
    element("div", {class: "row"}, element("span", {class: "title"}, `${stitcher.host}, stitcher`), badge(stitcher.state)),
    stitcher.note ? element("div", {class: "small error"}, stitcher.note) : null);
}

export function eventRow(event) {
  const words = [event.type, event.task, event.attempt && `attempt ${event.attempt}`,
    event.steps && `step ${event.step}/${event.steps}`, event.owner, event.state, event.error_class, event.text];
  return element("li", {}, `${new Date(event.time_ms).toLocaleString()}  ${words.filter(Boolean).join(" · ")}`);
}

export function failureRow(failure, choose) {
  return element("li", {},
    element("button", {type: "button", onclick: () => choose(failure.job)}, failure.name || failure.job),
    element("div", {class: "small error"}, failure.error));
}
