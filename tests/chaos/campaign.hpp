#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "queue/event.hpp"
#include "tests/chaos/farm.hpp"
#include "tests/chaos/injector.hpp"
#include "tests/chaos/jobs.hpp"
#include "tests/chaos/ledger.hpp"
#include "tests/chaos/recovery.hpp"

namespace reelfarm::chaos {

struct CampaignOptions {
  FarmOptions farm;
  JobPlan jobs;
  std::uint64_t seed = 1;
  int faults = 30;
  std::chrono::seconds patience{120};  ///< without any event of the farm: it hangs
  std::chrono::seconds limit{3600};    ///< for everything
};

/// What came of it.
struct Outcome {
  int jobs = 0;
  int lost = 0;       ///< not done in the end
  int different = 0;  ///< done, and with other bytes than the undisturbed video
  int tasks = 0;      ///< done
  std::chrono::milliseconds took{};
  std::vector<std::string> doubled;
  std::vector<std::string> complaints;  ///< everything that is not right, those above included

  bool good() const { return complaints.empty(); }
};

/// Renders jobs undisturbed, then again and again while faults are at work, and compares.
class Campaign {
 public:
  Campaign(CampaignOptions options, const Disk& disk);

  Outcome run();
  const Injector& injector() const { return injector_; }
  const RecoveryTimes& recovery() const { return recovery_; }

 private:
  using Clock = Farm::Clock;

  void render_undisturbed();
  void render_among_faults();
  void follow_events();
  void judge(const Round& round);
  bool hangs(const Round& round);
  void finish();
  void complain(const std::string& text);

  CampaignOptions options_;
  Farm farm_;
  RecoveryTimes recovery_;
  Injector injector_;
  Ledger ledger_;
  std::optional<queue::EventReader> events_;
  std::string last_event_ = "0";
  std::map<std::uint64_t, std::string> videos_;  ///< SHA-256 of the undisturbed ones, by seed
  Clock::time_point began_ = Clock::now();
  Clock::time_point last_sign_ = began_;
  bool hung_ = false;
  Outcome outcome_;
};

}  // namespace reelfarm::chaos
