#include "tests/chaos/damage.hpp"

#include <fstream>
#include <vector>

#include "pipeline/artifacts/window_artifact.hpp"
#include "queue/errors.hpp"

namespace reelfarm::chaos {
namespace {

/// Windows that are done and not merged into their job's video yet. Each only once: three failures are final by design.
std::vector<queue::TaskRecord> windows_in_use(queue::JobStore& store) {
  std::vector<queue::TaskRecord> windows;
  for (const queue::JobRecord& job : store.list_jobs({.states = {queue::JobState::running}})) {
    const auto tasks = store.get_tasks(job.id);
    for (const queue::TaskRecord& task : tasks) {
      const bool fresh = task.spec.kind == queue::TaskKind::window && task.state == queue::TaskState::done &&
                         task.failures == 0 && task.spec.window >= tasks.back().progress.step;
      if (fresh) windows.push_back(task);
    }
  }
  return windows;
}

bool change_a_byte(const std::filesystem::path& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(0, std::ios::end);
  const auto middle = file.tellg() / 2;
  file.seekg(middle);
  const int byte = file.get();
  file.seekp(middle);
  file.put(static_cast<char>(byte ^ 0x55));
  return file.good();
}

}  // namespace

std::optional<std::filesystem::path> damage_a_window(Farm& farm, std::uint64_t draw) {
  const auto windows = windows_in_use(farm.store());
  if (windows.empty()) return std::nullopt;
  const queue::TaskRecord& window = windows[(draw / 2) % windows.size()];
  const std::string& folder = window.artifact.path;
  const bool tail = draw % 2 == 1 && window.tail_published;
  const auto file =
      tail ? farm.data().absolute(window.tail.path) : farm.data().absolute(folder) / artifacts::kFramesFile;
  if (!change_a_byte(file)) return std::nullopt;
  return folder;
}

}  // namespace reelfarm::chaos
