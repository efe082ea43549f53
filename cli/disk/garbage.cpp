#include "cli/disk/garbage.hpp"

#include <algorithm>
#include <set>

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;
using Clock = fs::file_time_type::clock;

constexpr std::size_t kSha256Digits = 64;

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    entries.push_back(entry->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

class Search {
 public:
  Search(queue::JobStore& store, const queue::DataFolder& data, std::chrono::seconds min_age)
      : store_(store), data_(data), min_age_(min_age) {}

  GarbageSearch run() {
    // Folders first: a job that is accepted meanwhile is then among the jobs, though not among the folders.
    const std::vector<fs::path> folders = entries_of(data_.jobs());
    jobs_ = store_.list_jobs();
    look_at_job_folders(folders);
    look_at_inputs();
    for (const queue::JobRecord& job : jobs_) {
      if (queue::is_terminal(job.state) && job.closed && job.error.error_class != "corrupt") look_inside(job);
    }
    return std::move(result_);
  }

 private:
  void add(const fs::path& path, const std::string& why) {
    std::error_code error;
    const auto written = fs::last_write_time(path, error);
    if (!error && Clock::now() - written >= min_age_) result_.found.push_back({path, why});
  }

  void look_at_job_folders(const std::vector<fs::path>& folders) {
    std::vector<std::string> ids;
    for (const fs::path& folder : folders) {
      if (queue::is_job_id(folder.filename().string())) ids.push_back(folder.filename().string());
    }
    const std::vector<std::string> lost = store_.unknown_jobs(ids);
    for (const std::string& id : ids) {
      const bool is_lost = std::find(lost.begin(), lost.end(), id) != lost.end();
      if (is_lost && fs::exists(data_.job_file(id))) {
        ++to_come_back_;  // Redis has lost it, and a coordinator brings it back from here.
      } else if (is_lost || !store_.get_job(id)) {
        add(data_.job(id), "its job was removed");
      }
    }
    if (to_come_back_ > 0) {
      result_.notes.push_back(
          std::to_string(to_come_back_) +
          " job folders are of jobs that Redis has lost: a coordinator brings them back; inputs stay");
    }
  }

  void look_at_inputs() {
    std::set<std::string> named;
    for (const queue::JobRecord& job : jobs_) {
      if (job.error.error_class == "corrupt") {
        result_.notes.push_back("the record of " + job.id +
                                " cannot be read, so what it names is not known: inputs stay");
        return;
      }
      for (const queue::JobSpec* spec : {&job.asked, &job.spec}) {
        if (spec->image) named.insert(spec->image->sha256);
      }
    }
    if (to_come_back_ > 0) return;
    for (const fs::path& input : entries_of(data_.inputs())) {
      const std::string name = input.filename().string();
      if (name.size() == kSha256Digits && !named.contains(name)) add(input, "no job names this input");
    }
  }

  void look_inside(const queue::JobRecord& job) {
    std::vector<std::string> used;
    for (const queue::TaskRecord& task : store_.get_tasks(job.id)) {
      if (task.state == queue::TaskState::corrupt) return;
      for (const queue::Artifact* artifact : {&task.artifact, &task.tail}) {
        if (!artifact->path.empty()) used.push_back(data_.absolute(artifact->path).string());
      }
    }
    for (const fs::path& entry : entries_of(data_.job_windows(job.id))) {
      const std::string name = entry.filename().string();
      const std::string place = entry.string();
      const bool is_used = std::any_of(used.begin(), used.end(), [&](const std::string& path) {
        return path == place || path.starts_with(place + "/");
      });
      // Other hidden folders hold steps that a retry goes on from.
      const bool half_written = name.starts_with(".staging-");
      if (half_written) {
        add(entry, "half written");
      } else if (!is_used && !name.starts_with(".")) {
        add(entry, "no task refers to this window");
      }
    }
    for (const fs::path& entry : entries_of(data_.job_stitch(job.id))) {
      if (entry.filename().string().starts_with("partial_")) add(entry, "a video that was not finished");
    }
  }

  queue::JobStore& store_;
  const queue::DataFolder& data_;
  std::chrono::seconds min_age_;
  std::vector<queue::JobRecord> jobs_;
  int to_come_back_ = 0;
  GarbageSearch result_;
};

}  // namespace

GarbageSearch find_garbage(queue::JobStore& store, const queue::DataFolder& data, std::chrono::seconds min_age) {
  return Search(store, data, min_age).run();
}

}  // namespace reelfarm::cli
