#include "cli/disk/garbage.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "coordinator/removal.hpp"
#include "pipeline/artifacts/errors.hpp"

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
      : store_(store), data_(data), oldest_kept_(Clock::now() - min_age) {}

  GarbageSearch run() {
    // Folders first: a job that is accepted meanwhile is then among the jobs, though not among the folders.
    const std::vector<fs::path> folders = entries_of(data_.jobs());
    jobs_ = store_.list_jobs();
    for (const queue::JobRecord& job : jobs_) listed_.insert(job.id);
    look_at_job_folders(folders);
    look_at_inputs();
    look_at_videos();
    for (const queue::JobRecord& job : jobs_) {
      if (queue::is_terminal(job.state) && job.closed && job.error.error_class != "corrupt") look_inside(job);
    }
    return std::move(result_);
  }

 private:
  void add(const fs::path& path, const std::string& why) {
    std::error_code error;
    const auto written = fs::last_write_time(path, error);
    if (!error && written <= oldest_kept_) result_.found.push_back({path, why, oldest_kept_});
  }

  void look_at_job_folders(const std::vector<fs::path>& folders) {
    std::vector<std::string> ids;
    for (const fs::path& folder : folders) {
      if (queue::is_job_id(folder.filename().string())) ids.push_back(folder.filename().string());
    }
    const std::vector<queue::Standing> standing = store_.standing(ids);
    int to_come_back = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool planned = fs::exists(data_.job_file(ids[i]));
      if (standing[i] == queue::Standing::unknown && !planned) {
        add(data_.job(ids[i]), "its job was removed");
      } else if (standing[i] == queue::Standing::unknown) {
        ++to_come_back;  // Redis has lost it, and a coordinator brings it back from here.
      } else if (standing[i] == queue::Standing::known && planned && !listed_.contains(ids[i])) {
        inputs_known_ = false;  // It came back after the jobs were listed, or cannot be read.
      }
    }
    if (to_come_back == 0) return;
    inputs_known_ = false;
    result_.notes.push_back(
        std::to_string(to_come_back) +
        " job folders are of jobs that Redis has lost: a coordinator brings them back; inputs stay");
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
    if (!inputs_known_) return;
    for (const fs::path& input : entries_of(data_.inputs())) {
      const std::string name = input.filename().string();
      if (name.size() == kSha256Digits && !named.contains(name)) add(input, "no job names this input");
    }
  }

  /// Of a job that is over one video counts. Another was published by a stitcher whose word did not reach Redis, or
  /// that lost it; those of jobs that nobody knows are what `rm` leaves.
  void look_at_videos() {
    std::map<std::string, const queue::JobRecord*> over;
    for (const queue::JobRecord& job : jobs_) {
      if (queue::is_terminal(job.state) && job.closed && job.error.error_class != "corrupt") over[job.id] = &job;
    }
    for (const fs::path& entry : entries_of(data_.videos())) {
      const std::string name = entry.filename().string();
      const auto job = over.find(name.substr(0, name.find("_v")));
      if (job == over.end()) continue;
      const fs::path video = job->second->output;
      if (entry.filename() != video.filename() &&
          entry.filename() != fs::path(video).replace_extension(".json").filename()) {
        add(entry, "not the video of its job");
      }
    }
  }

  void look_inside(const queue::JobRecord& job) {
    const std::vector<queue::TaskRecord> tasks = store_.get_tasks(job.id);
    if (tasks.empty() && job.windows > 0) return;  // Redis has lost them since it listed the job.
    std::vector<std::string> used;
    for (const queue::TaskRecord& task : tasks) {
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
  fs::file_time_type oldest_kept_;
  std::vector<queue::JobRecord> jobs_;
  std::set<std::string> listed_;  ///< ids of jobs_
  bool inputs_known_ = true;      ///< what jobs_ name is all that any job names
  GarbageSearch result_;
};

}  // namespace

bool remove_garbage(const Garbage& garbage) {
  std::error_code error;
  const auto written = fs::last_write_time(garbage.path, error);
  if (error == std::errc::no_such_file_or_directory) return false;
  if (error) throw artifacts::StorageError("look at", garbage.path, 0, error.value());
  if (written > garbage.written_by) return false;
  coordinator::remove_tree(garbage.path);
  return true;
}

GarbageSearch find_garbage(queue::JobStore& store, const queue::DataFolder& data, std::chrono::seconds min_age) {
  return Search(store, data, min_age).run();
}

}  // namespace reelfarm::cli
