#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "coordinator/disk.hpp"
#include "coordinator/job_file.hpp"
#include "coordinator/prompt_check.hpp"
#include "coordinator/request_check.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

struct InboxResult {
  int accepted = 0;
  int rejected = 0;
  int waiting = 0;  ///< left in the inbox, with the reason: no bundle is known yet, no room on the disk
};

/// Bundles registered with the farm, and which of them a group holds now.
KnownBundles known_bundles(queue::JobStore& store);

/// Judges what clients have submitted: plans, writes job.json, then accepts, or rejects with the reason. Every step may
/// be repeated: two inboxes at work at once, or one that is killed and started again, accept each job once.
/// By priority, then submit order, like the queue itself. A job that waits for disk is first in line for it: none of
/// its priority or a lower one that came later takes what becomes free.
class Inbox {
 public:
  Inbox(queue::JobStore& store, queue::DataFolder data, MeasureDisk measure = measure_disk)
      : store_(store), data_(std::move(data)), measure_(std::move(measure)), prompts_(data_) {}

  /// One pass over the inbox. Throws queue::Error when Redis fails.
  InboxResult process();

 private:
  void process_piece(std::span<const queue::InboxEntry> entries, const KnownBundles& bundles, InboxResult& result);
  /// The plan of the job file that is there, or a new one. Throws Rejected, NotYet.
  JobFile decide(const queue::InboxEntry& entry, const KnownBundles& bundles);
  void check_against_farm(const queue::JobSpec& spec);
  /// Promises the job its room on the disk. Throws Rejected when it could never have it, NotYet while it cannot.
  void reserve_space(const JobFile& file);
  void accept(const JobFile& file, InboxResult& result);
  void reject(const std::string& job, const std::string& reason, InboxResult& result);
  void keep_waiting(const std::string& job, const std::string& reason, InboxResult& result);

  queue::JobStore& store_;
  queue::DataFolder data_;
  MeasureDisk measure_;
  std::optional<DiskSpace> space_;  ///< at the beginning of this pass
  std::uint64_t promised_ = 0;      ///< bytes of it that accepted jobs may still write
  std::string first_in_line_;       ///< of those that wait for disk in this pass; empty: nobody does
  PromptCheck prompts_;
  std::map<std::string, std::string> waiting_;  ///< job -> reason already logged
};

}  // namespace reelfarm::coordinator
