// What there is to see of a job: its video, frames of its windows, and what is to become of them.
#include <algorithm>
#include <charconv>

#include "coordinator/http/errors.hpp"
#include "coordinator/page/frame_cache.hpp"
#include "coordinator/page/routes.hpp"
#include "pipeline/artifacts/window_artifact.hpp"

namespace reelfarm::page {

using http::Access;
using http::Method;
using http::Reply;
using http::Request;

namespace {

constexpr int kMinWidth = 16;
constexpr int kMaxWidth = 1920;
constexpr int kMaxWindow = 1'000'000;

std::string type_of(const std::filesystem::path& file) {
  const std::string extension = file.extension().string();
  if (extension == ".mp4") return "video/mp4";
  if (extension == ".mov") return "video/quicktime";
  if (extension == ".mkv") return "video/x-matroska";
  if (extension == ".webm") return "video/webm";
  return "application/octet-stream";
}

Reply video(Context& context, const Request& request) {
  std::filesystem::path file;
  {
    auto store = context.stores.borrow();
    const queue::JobRecord job = require_job(*store, request);
    if (job.output.empty()) throw http::Refusal(404, job.id + " has no video yet");
    file = context.data.absolute(job.output);
  }
  Reply reply;
  reply.type = type_of(file);
  reply.file = http::FileBody{file};
  // A published video never changes under its name, but it may be removed.
  reply.headers = {{"Cache-Control", "private, max-age=60"}};
  return reply;
}

int window_of(const Request& request) {
  const std::string& text = request.places.at("window");
  int window = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), window);
  if (error != std::errc() || end != text.data() + text.size() || window < 0 || window > kMaxWindow) {
    throw http::Refusal(404, "'" + text + "' is not a window");
  }
  return window;
}

Reply window_frame(Context& context, FrameCache& frames, const Request& request) {
  const int window = window_of(request);
  const int width = static_cast<int>(request.integer("width", 320, kMinWidth, kMaxWidth));
  std::filesystem::path file;
  std::int64_t frame = 0;
  {
    auto store = context.stores.borrow();
    const queue::JobRecord job = require_job(*store, request);
    const auto task = store->get_task(queue::task_id(job.id, queue::TaskKind::window, window));
    if (!task) throw http::Refusal(404, job.id + " has no window " + std::to_string(window));
    if (task->state != queue::TaskState::done) {
      throw http::Refusal(404, "window " + std::to_string(window) + " of " + job.id + " is not done");
    }
    const std::int64_t last = std::max<std::int64_t>(task->spec.span.num_frames - 1, 0);
    frame = request.integer("at", last, 0, last);
    file = context.data.absolute(task->artifact.path) / artifacts::kFramesFile;
  }
  if (!std::filesystem::exists(file)) throw http::Refusal(404, "the window's frames are not kept any more");
  Reply reply;
  reply.type = "image/png";
  reply.body = frames.frame(file, frame, width);
  reply.headers = {{"Cache-Control", "private, max-age=3600"}};
  return reply;
}

/// A file that tells the colours of a window's latents: the tail of a window that the same weights have rendered, the
/// nearest before it that is done, else of another job. Empty: there is none.
std::filesystem::path tail_beside(queue::JobStore& store, const queue::DataFolder& data, const queue::JobRecord& job,
                                  const queue::TaskRecord& window) {
  const auto tail_of = [&](const std::string& of, int index) {
    const auto task = store.get_task(queue::task_id(of, queue::TaskKind::window, index));
    if (!task || task->state != queue::TaskState::done || task->artifact.path.empty()) return std::filesystem::path();
    const auto file = data.absolute(task->artifact.path) / artifacts::kTailFile;
    return std::filesystem::exists(file) ? file : std::filesystem::path();
  };
  constexpr int kLookedAt = 20;
  // The one just before may still be decoding: this one starts when its tail is there.
  for (int index = window.spec.window - 1; index >= std::max(0, window.spec.window - kLookedAt); --index) {
    if (auto file = tail_of(job.id, index); !file.empty()) return file;
  }
  queue::JobQuery done;
  done.states = {queue::JobState::done};
  done.limit = kLookedAt;
  for (const queue::JobRecord& other : store.list_jobs(done)) {
    if (other.spec.bundle_hash != window.spec.bundle_hash) continue;
    if (auto file = tail_of(other.id, 0); !file.empty()) return file;
  }
  return {};
}

/// What the latents of a window that is being rendered show after its last step. 204 where there is nothing to show yet
/// or any more: a browser takes a 404 for a fault of the page.
Reply window_preview(Context& context, FrameCache& frames, const Request& request) {
  const int window = window_of(request);
  std::filesystem::path tail;
  std::filesystem::path steps;
  std::string id;
  std::string moment;
  {
    auto store = context.stores.borrow();
    const queue::JobRecord job = require_job(*store, request);
    id = queue::task_id(job.id, queue::TaskKind::window, window);
    const auto task = store->get_task(id);
    if (!task) throw http::Refusal(404, job.id + " has no window " + std::to_string(window));
    if (task->state == queue::TaskState::leased) steps = context.data.job_steps(job.id);
    tail = tail_beside(*store, context.data, job, *task);
    moment = std::to_string(task->attempt) + "#" + task->progress.phase + "#" + std::to_string(task->progress.step);
  }
  Reply reply;
  reply.headers = {{"Cache-Control", "no-store"}};
  const auto png = steps.empty() ? std::nullopt : frames.latents(steps, id, tail, moment);
  reply.status = png ? 200 : 204;
  if (!png) return reply;
  reply.type = "image/png";
  reply.body = *png;
  return reply;
}

}  // namespace

void add_media_routes(http::Router& router, Context& context) {
  router.add(Method::get, "/api/jobs/{job}/video", Access::token, with(context, video));
  const auto frames = std::make_shared<FrameCache>(context.data.run());
  router.add(Method::get, "/api/jobs/{job}/windows/{window}/frame", Access::token,
             [&context, frames](const Request& request) { return window_frame(context, *frames, request); });
  router.add(Method::get, "/api/jobs/{job}/windows/{window}/preview", Access::token,
             [&context, frames](const Request& request) { return window_preview(context, *frames, request); });
}

}  // namespace reelfarm::page
