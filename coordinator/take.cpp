#include "coordinator/take.hpp"

#include <algorithm>

#include "coordinator/own_files.hpp"
#include "coordinator/published_window.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "pipeline/artifacts/window_artifact.hpp"

namespace reelfarm::coordinator {
namespace {

bool is_taken_over(const queue::TaskSpec& task, int from_window) {
  return task.kind == queue::TaskKind::image || (task.kind == queue::TaskKind::window && task.window < from_window);
}

std::string name_of(const queue::TaskSpec& task) {
  return task.kind == queue::TaskKind::image ? "the first frame" : "window " + std::to_string(task.window);
}

[[noreturn]] void reject_for_files(const queue::TaskSpec& task, queue::Keep keep, const std::string& why) {
  throw Rejected(name_of(task) + " of job " + task.job + " is not on the disk as it was rendered (--keep " +
                 std::string(queue::to_string(keep)) + " may have removed it): use resubmit, which renders all of it" +
                 (why.empty() ? "" : "; " + why));
}

/// Runs `look` at the place of a done task's files; those that are gone or damaged are a reason to reject the take.
template <typename Look>
auto require_files(const queue::DataFolder& data, const queue::TaskRecord& task, queue::Keep keep,
                   const Look& look) try {
  // A done job that was rebuilt after its windows had gone knows no place of them.
  if (task.artifact.path.empty()) reject_for_files(task.spec, keep, "");
  return look(data.absolute(task.artifact.path));
} catch (const artifacts::ArtifactError& error) {
  const auto* storage = dynamic_cast<const artifacts::StorageError*>(&error);
  if (storage && storage->code() != std::errc::no_such_file_or_directory) throw;
  reject_for_files(task.spec, keep, error.what());
}

const queue::TaskRecord& record_of(const Parent& parent, const std::string& task) {
  const auto found = std::find_if(parent.tasks.begin(), parent.tasks.end(),
                                  [&](const queue::TaskRecord& record) { return record.spec.id == task; });
  if (found == parent.tasks.end()) throw Rejected("the record of " + task + " is lost: use resubmit");
  return *found;
}

void require_done(const Parent& parent, const queue::DataFolder& data, int from_window) {
  for (const queue::TaskSpec& task : parent.file.plan.tasks) {
    if (!is_taken_over(task, from_window)) continue;
    const queue::TaskRecord& record = record_of(parent, task.id);
    if (record.state != queue::TaskState::done) {
      throw Rejected(name_of(task) + " of job " + task.job + " is " + std::string(queue::to_string(record.state)) +
                     ": a new take from window " + std::to_string(from_window) + " needs it done");
    }
    require_files(data, record, parent.record.spec.keep, [&](const std::filesystem::path& path) {
      if (task.kind == queue::TaskKind::window) {
        artifacts::open_window(path, artifacts::Check::kSizes);
      } else {
        artifacts::File::open_to_read(path);
      }
    });
  }
}

}  // namespace

std::optional<Parent> find_parent(queue::JobStore& store, const queue::DataFolder& data, const queue::JobSpec& spec) {
  if (!spec.from_window) return std::nullopt;
  const auto record = store.get_job(spec.parent);
  if (!record) throw Rejected("it goes on from the windows of " + spec.parent + ": there is no such job");
  if (record->state == queue::JobState::submitted) throw NotYet("it is a new take of " + spec.parent + ", which waits");
  auto file = read_job_file(data, spec.parent);
  if (!file)
    throw Rejected("it goes on from the windows of " + spec.parent + ", which was never accepted: use resubmit");
  Parent parent{std::move(*file), *record, store.get_tasks(spec.parent)};
  const int windows = parent.file.plan.tasks.back().stitch.windows;
  if (*spec.from_window >= windows) {
    throw Rejected("window " + std::to_string(*spec.from_window) + " is asked anew, but job " + spec.parent +
                   " has windows 0 to " + std::to_string(windows - 1));
  }
  require_done(parent, data, *spec.from_window);
  return parent;
}

void require_same_video(const queue::JobSpec& take, const queue::JobSpec& parent) {
  const auto sha256_of = [](const queue::JobSpec& spec) { return spec.image ? spec.image->sha256 : std::string(); };
  const char* different = take.bundle_hash != parent.bundle_hash                                       ? "the bundle"
                          : take.width != parent.width || take.height != parent.height                 ? "the size"
                          : take.frames != parent.frames                                               ? "the length"
                          : take.window_frames != parent.window_frames                                 ? "the window"
                          : take.overlap_frames != parent.overlap_frames                               ? "the overlap"
                          : take.steps != parent.steps                                                 ? "steps"
                          : take.shift != parent.shift                                                 ? "shift"
                          : take.guidance != parent.guidance                                           ? "guidance"
                          : take.required_dtype() != parent.required_dtype()                           ? "the dtype"
                          : sha256_of(take) != sha256_of(parent) || take.image_fit != parent.image_fit ? "the image"
                                                                                                       : nullptr;
  if (!different) return;
  throw Rejected(std::string(different) + " is another than that of " + take.parent +
                 ", so its windows do not fit: use resubmit, which renders all of it");
}

void take_over(const queue::DataFolder& data, const Parent& parent, const std::string& job, queue::Plan& plan) {
  const int from_window = *plan.spec.from_window;
  for (const queue::TaskSpec& task : plan.tasks) {
    if (!is_taken_over(task, from_window)) continue;
    const queue::TaskRecord& source = record_of(parent, queue::task_id(parent.file.job, task.kind, task.window));
    const auto own = [&](const std::filesystem::path& path) {
      if (task.kind == queue::TaskKind::image) return report_of_image(data, own_image(data, path, job));
      const auto folder = own_window(data, path, job);
      return report_of_window(data, folder, artifacts::open_window(folder, artifacts::Check::kSizes), task,
                              *plan.spec.overlap_frames);
    };
    plan.finished[task.id] = require_files(data, source, parent.record.spec.keep, own);
  }
  plan.fingerprint = parent.record.fingerprint;
}

}  // namespace reelfarm::coordinator
