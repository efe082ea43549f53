#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "queue/detail/redis_connection.hpp"
#include "queue/job_store.hpp"
#include "queue/keys.hpp"
#include "queue/private_redis.hpp"
#include "tests/support/temporary_folder.hpp"

namespace reelfarm::queue::test {

using reelfarm::test::TemporaryFolder;

/// The redis-server that the tests of one program share; started at the first use.
PrivateRedis& shared_redis();

inline constexpr const char* kBundle = "b0b0";
inline constexpr const char* kFingerprint = "fp-a";

/// One farm of its own on the shared server, its clock under the test's hand.
class TestFarm {
 public:
  TestFarm();

  StoreOptions options;  ///< change before making a store
  JobStore make_store() const { return JobStore(options); }
  const Keys& keys() const { return keys_; }

  /// A raw command on the shared server; every element of the reply flattened to text.
  std::vector<std::string> raw(const detail::Arguments& arguments);

  /// Moves the farm's clock as the transitions see it.
  void advance(std::chrono::milliseconds by);

  /// Stops the farm's clock at a time, until the next call.
  void stop_clock_at(ServerTime time);

 private:
  Keys keys_;
  detail::RedisConnection connection_;
  std::chrono::milliseconds offset_{0};
};

/// A valid request for a video.
JobSpec make_spec(const std::string& prompt = "a lighthouse", int priority = 0);

/// A chain of `windows` windows, with an image task before it if asked, and the stitch.
Plan make_plan(const std::string& job, const JobSpec& spec, int windows, bool image = false,
               const std::string& bundle = kBundle);

/// Submits and accepts. Returns the job id.
std::string add_job(JobStore& store, int windows, bool image = false, const JobSpec& spec = make_spec());

ClaimFilter render_filter(const std::string& owner, const std::string& fingerprint = kFingerprint,
                          const std::string& dtype = "fp32");
ClaimFilter stitch_filter(const std::string& owner = "stitcher-1");

/// The group that claims so, idle.
GroupRecord group_of(const ClaimFilter& filter);

Artifact make_artifact(const std::string& name);
FinishReport make_report(const std::string& name);

/// "w0:done w1:leased stitch:ready": the states of all tasks of a job.
std::string task_states(JobStore& store, const std::string& job);

/// Claims what must be claimable; fails the test when there is nothing.
Lease must_claim(JobStore& store, const ClaimFilter& filter);

}  // namespace reelfarm::queue::test
