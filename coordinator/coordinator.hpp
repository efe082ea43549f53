#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>

#include "coordinator/janitor.hpp"
#include "queue/data_folder.hpp"
#include "queue/event.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

struct CoordinatorOptions {
  queue::StoreOptions store;
  std::filesystem::path data;
  std::string page_url;                 ///< of the status page of this process; empty: it has none
  std::filesystem::path output_root;    ///< below it, the coordinator puts the copies that jobs ask for; empty: nowhere
  std::chrono::milliseconds poll{200};  ///< longest time between two looks at the inbox
  std::chrono::milliseconds reap_every{1000};
  std::chrono::milliseconds retry_pause{500};  ///< after Redis failed
  std::chrono::seconds janitor_every{300};
  std::chrono::seconds placement_scan_every{60};
  double high_water = 95;  ///< percent of DATA's disk above which nothing new is rendered
  JanitorOptions janitor;
};

/// Inbox, reaper and rebuild on one thread, state files, output copies and the janitor on another. It holds no state
/// that Redis or DATA do not have, so it may be killed at any point, and several may run at once.
class Coordinator {
 public:
  /// Connects, checks and claims DATA. Throws queue::Error, queue::DataFolderError, artifacts::StorageError.
  explicit Coordinator(CoordinatorOptions options);

  /// Runs until stop(). A Redis that goes away is waited for.
  void run();
  /// May be called from another thread.
  void stop();

 private:
  void serve_queue();
  void serve_files();
  /// Gives Redis the farm's id and its jobs back, if it has lost them. Throws queue::DataFolderError when it has become
  /// another farm's, or DATA is not mounted.
  void recover(queue::JobStore& store);
  /// What DATA has to know of a job: its state.json and the copy of its video. Where Redis has lost what the file
  /// knows, the job is brought back from there. False: it has to be looked at again.
  bool follow(queue::JobStore& store, const queue::JobRecord& job);
  void follow(queue::JobStore& store, const queue::Event& event);
  void follow_all(queue::JobStore& store);
  bool place(queue::JobStore& store, const queue::JobRecord& job);
  void write_own_file(const std::string& farm_id) const;
  /// Runs `step` until stop(), again after a pause when Redis or the disk fails.
  void keep_running(const char* what, const std::function<void()>& step);
  bool stopped();
  /// Waits; true when stop() was called.
  bool pause(std::chrono::milliseconds duration);

  CoordinatorOptions options_;
  queue::DataFolder data_;
  std::string farm_id_;
  /// Jobs that the last look found closed, by the revision they had: until it changes there is nothing new to keep of
  /// them, and a look at ten thousand of them costs Redis and the disk more than all else.
  std::map<std::string, std::int64_t> settled_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
};

}  // namespace reelfarm::coordinator
