// The form: an image dropped or chosen, then the job.

const byId = (id) => document.getElementById(id);
let image = null;

function take(file) {
  image = file;
  const preview = byId("drop-preview");
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.hidden = !file;
  if (file) preview.src = URL.createObjectURL(file);
  byId("drop-text").textContent = file ? file.name : "Drop the first frame here, or choose a file";
}

function fields() {
  const job = {prompt: byId("prompt").value};
  for (const name of ["seconds", "size", "seed", "variants", "name", "project", "bundle", "priority"]) {
    const value = byId(name).value.trim();
    if (value) job[name] = value;
  }
  return job;
}

export function setUpForm(call, submitted) {
  const drop = byId("drop");
  drop.addEventListener("click", () => byId("image").click());
  drop.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") byId("image").click();
  });
  byId("image").addEventListener("click", (event) => event.stopPropagation());
  byId("image").addEventListener("change", (event) => take(event.target.files[0] ?? null));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
  byId("job-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = byId("submit-answer");
    answer.className = "";
    answer.textContent = "submitting";
    try {
      const job = fields();
      if (image) job.image = (await call("/api/inputs", {body: image, type: image.type})).image;
      const made = await call("/api/jobs", {body: JSON.stringify(job)});
      answer.textContent = [`${made.jobs.length} submitted`, ...made.warnings].join("; ");
      take(null);
      byId("job-form").reset();
      submitted(made.jobs[0].job);
    } catch (error) {
      answer.className = "error";
      answer.textContent = error.message;
    }
  });
}

export async function fillBundles(call) {
  const {bundles} = await call("/api/bundles");
  const names = [...new Set(bundles.map((bundle) => bundle.name))];
  const kept = byId("bundle").options[0];
  byId("bundle").replaceChildren(kept, ...names.map((name) => new Option(name, name)));
}
