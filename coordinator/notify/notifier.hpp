#pragma once

#include <chrono>
#include <memory>

#include "coordinator/notify/config.hpp"
#include "queue/job_store.hpp"

namespace reelfarm::notify {

struct NotifierOptions {
  queue::StoreOptions store;
  Config config;
  std::chrono::milliseconds look_every{5000};   ///< for what has not advanced; what ends is seen at once
  std::chrono::milliseconds first_pause{5000};  ///< of a receiver before the second try, doubled up to pause_cap
  std::chrono::milliseconds pause_cap{600'000};
  std::chrono::hours give_up{24};                 ///< after so long a notice is dropped, and the log says so
  std::chrono::milliseconds claimed_for{60'000};  ///< longer than one try of any kind takes
};

/// Sees what comes about in the farm, enters a notice for everybody who wants to hear of it (queue/notices.hpp), and
/// delivers them, on two threads of its own. What is entered is delivered until it was taken once. A coordinator that
/// dies between the receiver's answer and its own record of it is the one case in which a receiver hears of something
/// twice; the id is the same.
class Notifier {
 public:
  explicit Notifier(NotifierOptions options);
  ~Notifier();  ///< waits for the try under way

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::notify
