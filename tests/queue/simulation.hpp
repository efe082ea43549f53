#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/queue/oracle.hpp"
#include "tests/queue/support.hpp"

namespace reelfarm::queue::test {

/// A farm on a stopped clock with several groups and stitchers, to which random things happen: every answer of the
/// store must be the oracle's.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);

  /// One random transition, checked. Returns its description.
  std::string step();

  /// The store and the oracle agree on everything that can be read.
  void compare();

  /// Lets everything that can still happen happen: nothing may be left lying.
  void drain();

  int claims = 0;
  int refusals = 0;
  int poisoned = 0;
  int inputs_rejected = 0;
  int done_jobs = 0;

 private:
  static void set_options(StoreOptions& options);
  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  bool chance(int percent) { return pick(100) < percent; }

  /// In the order of submission: by their names, which are drawn anew in each run, a seed would not replay.
  std::vector<std::string> jobs() const;
  std::string random_job();
  std::string submit();
  std::string forget_one();
  void accept(const std::string& id);
  /// Some of the plan, or all of it, lies on the disk already.
  void finish_some(Plan& plan);
  std::string decide();
  std::optional<FencingToken> claim_as(const ClaimFilter& filter);
  std::string claim();
  void finish(const FencingToken& token);
  std::string reject_input(const FencingToken& token);
  /// Any verb with any token there ever was, mostly a recent one, sometimes a forged one.
  std::string use_token();
  std::string measure_disk();
  std::string stop_farm();
  /// A group shows itself, or that it drains; or the disk is measured, or the farm stopped.
  std::string announce();
  std::string change();
  void move_clock(std::int64_t server_ms, std::int64_t steady_ms);
  std::string pass_time();

  template <typename Code>
  void expect(const Code& got, const Code& expected) {
    EXPECT_EQ(got, expected);
    if constexpr (std::is_same_v<Code, std::optional<ReplyCode>>) refusals += expected != ReplyCode::ok ? 1 : 0;
    if constexpr (std::is_same_v<Code, ReplyCode>) refusals += expected != ReplyCode::ok ? 1 : 0;
  }

  void compare(const TaskRecord& got, const Oracle::Task& expected);
  /// What must hold whatever the oracle says.
  void check_job(const JobRecord& job, const std::vector<TaskRecord>& tasks);
  /// Every ready task is in exactly one index, or in none because its job rests; nothing else is in any.
  void check_indexes();

  std::mt19937_64 random_;
  TestFarm farm_;
  JobStore store_;
  Oracle oracle_;
  std::chrono::steady_clock::time_point steady_{};
  std::int64_t drift_ = 0;  ///< of the server's clock against the steady one since the last reap
  std::int64_t sequence_ = 0;
  std::vector<FencingToken> tokens_;
  std::map<std::string, FencingToken> finished_;  ///< render tasks: by which token each was finished
  std::vector<ClaimFilter> filters_ = {render_filter("g1", "fp-a", "fp32"), render_filter("g2", "fp-a", "fp32"),
                                       render_filter("g3", "fp-b", "bf16"), stitch_filter("s1"), stitch_filter("s2")};
};

}  // namespace reelfarm::queue::test
