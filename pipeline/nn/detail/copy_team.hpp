#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <thread>
#include <vector>

namespace reelfarm::nn::detail {

/// Copies memory with several threads, for page faults of a mapped file hold one alone to 5 to 10 GB/s.
///
/// After a copy its threads spin for some milliseconds before they sleep: to wake one takes as long as copying some
/// megabytes, and the next tensor comes soon.
class CopyTeam {
 public:
  /// Of so many threads, at least 1, the caller's among them.
  explicit CopyTeam(unsigned threads);
  ~CopyTeam();
  CopyTeam(const CopyTeam&) = delete;
  CopyTeam& operator=(const CopyTeam&) = delete;

  /// Returns when all bytes are there. One thread at a time.
  void copy(std::byte* to, const std::byte* from, std::int64_t bytes);

 private:
  void begin();
  void take_parts();
  void serve(const std::stop_token& stop);

  // Written while no other thread works; round_ makes it known to them.
  std::byte* to_ = nullptr;
  const std::byte* from_ = nullptr;
  std::int64_t bytes_ = 0;
  std::atomic<std::int64_t> next_ = 0;
  std::atomic<std::size_t> busy_ = 0;
  std::atomic<unsigned> round_ = 0;
  std::vector<std::jthread> threads_;  // last: they use all above
};

}  // namespace reelfarm::nn::detail
