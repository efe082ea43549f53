#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "coordinator/http/address.hpp"

namespace reelfarm::bench {

/// A page that somebody looks at: asks for what the page asks for, again and again, and keeps how long each took.
class PageClient {
 public:
  explicit PageClient(http::Address address);
  ~PageClient() { stop(); }
  void stop();

  /// Milliseconds of each answer by target; only after stop().
  const std::map<std::string, std::vector<double>>& milliseconds() const { return milliseconds_; }
  int failures() const { return failures_; }

 private:
  void look();

  http::Address address_;
  std::map<std::string, std::vector<double>> milliseconds_;
  int failures_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace reelfarm::bench
