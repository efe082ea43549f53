#include "pipeline/nn/detail/copy_team.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace reelfarm::nn::detail {
namespace {

constexpr std::int64_t kPart = std::int64_t{512} << 10;  // bytes that a thread takes at a time
constexpr std::chrono::milliseconds kSpinning{5};

}  // namespace

CopyTeam::CopyTeam(unsigned threads) {
  for (unsigned other = 1; other < threads; ++other) {
    threads_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
  }
}

CopyTeam::~CopyTeam() {
  for (std::jthread& thread : threads_) thread.request_stop();
  begin();
}

void CopyTeam::copy(std::byte* to, const std::byte* from, std::int64_t bytes) {
  if (bytes <= kPart) {
    if (bytes > 0) std::memcpy(to, from, static_cast<std::size_t>(bytes));
    return;
  }
  to_ = to;
  from_ = from;
  bytes_ = bytes;
  next_ = 0;
  busy_ = threads_.size();
  begin();
  take_parts();
  while (busy_ != 0) std::this_thread::yield();
}

void CopyTeam::begin() {
  ++round_;
  round_.notify_all();
}

void CopyTeam::take_parts() {
  for (std::int64_t at = next_.fetch_add(kPart); at < bytes_; at = next_.fetch_add(kPart)) {
    std::memcpy(to_ + at, from_ + at, static_cast<std::size_t>(std::min(kPart, bytes_ - at)));
  }
}

void CopyTeam::serve(const std::stop_token& stop) {
  for (unsigned seen = 0;; ++seen) {
    const auto patience = std::chrono::steady_clock::now() + kSpinning;
    while (round_ == seen && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
    round_.wait(seen);
    if (stop.stop_requested()) return;
    take_parts();
    --busy_;
  }
}

}  // namespace reelfarm::nn::detail
