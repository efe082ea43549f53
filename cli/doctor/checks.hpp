#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "posix/run_program.hpp"
#include "queue/data_folder.hpp"
#include "queue/job_store.hpp"
#include "queue/server_facts.hpp"

namespace reelfarm::cli {

/// note: this machine or farm cannot do something that it may never have to do.
enum class Health { ok, note, problem };

struct Finding {
  Health health = Health::ok;
  std::string what;  ///< one word or two: "clock", "coordinator"
  std::string text;
  std::string hint{};  ///< what to do; empty when all is well
};

/// What a farm's records say about those who serve it.
struct FarmRecords {
  queue::ServerTime server_now{};
  queue::ServerTime local_now{};  ///< this machine's clock at the same time
  std::optional<queue::DiskState> disk;
  std::vector<queue::GroupRecord> groups;
  std::vector<queue::StitcherRecord> stitchers;
  std::optional<queue::FarmPause> pause;
  std::vector<queue::BundleLimits> bundles;
  int stitches_ready = 0;  ///< that nobody has taken
  int stitches_leased = 0;
};

FarmRecords read_farm_records(queue::JobStore& store);

/// Clocks, coordinator, disk, groups, stitchers, bundles. Pure.
std::vector<Finding> check_farm(const FarmRecords& records);

/// DATA: there, this farm's, writable, with room, how fast. Writes a small file a few times and removes it.
std::vector<Finding> check_data(const queue::DataFolder& data, const std::string& farm_id);

/// Of the time that DATA takes to keep a small file, and that Redis takes to answer. Pure.
Finding judge_storage(double durable_write_ms);
Finding judge_latency(double round_trip_ms);
/// How safe what Redis takes is, and how long that takes. Pure.
std::vector<Finding> judge_server(const queue::ServerFacts& facts);
/// The weights in `folder`: whole (reelfarm-bundle verify), and those of the farm's groups or not.
std::vector<Finding> check_bundle(const std::filesystem::path& folder, const FarmRecords& records);
/// `line`: the first of /proc/driver/nvidia/version; empty where there is none. Pure.
Finding judge_driver(const std::string& line);

/// Two ranks under MPI on this machine, and its GPUs: `LAUNCHER -n 2 RANKS --self-test`, and what its lines
/// (worker/ranks/self_test.hpp) say. What hangs is killed at `limit`, and named; loading CUDA's libraries from a
/// network file system may take most of it.
std::vector<Finding> check_ranks(std::vector<std::string> launcher, const std::filesystem::path& ranks,
                                 std::chrono::seconds limit = std::chrono::minutes(3));
/// Pure.
std::vector<Finding> judge_ranks(const posix::Ended& ended, std::chrono::seconds limit);

/// The programs, ranks and GPUs, and the driver that this machine needs to submit (problem) and to run a farm (note).
std::vector<Finding> check_programs();

}  // namespace reelfarm::cli
