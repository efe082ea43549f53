#include "tests/chaos/fault.hpp"

#include <utility>

namespace reelfarm::chaos {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kShortestPause{100};
constexpr milliseconds kLongestPause{4000};
constexpr milliseconds kLongestByteTime{150};

}  // namespace

milliseconds FaultGenerator::between(milliseconds shortest, milliseconds longest) {
  return shortest + milliseconds(below(static_cast<std::uint64_t>((longest - shortest).count()) + 1));
}

Fault FaultGenerator::next() {
  if (deck_.empty()) {
    for (std::size_t kind = 0; kind < kFaultKinds.size(); ++kind) {
      if (disk_ || kFaultKinds[kind].victim != Victim::disk) deck_.push_back(kind);
    }
    for (std::size_t last = deck_.size() - 1; last > 0; --last) std::swap(deck_[last], deck_[below(last + 1)]);
  }
  Fault fault;
  fault.kind = deck_.back();
  deck_.pop_back();
  fault.group = random_();
  fault.pause = between(kShortestPause, kLongestPause);
  fault.duration = between(fault.what().shortest, fault.what().longest);
  fault.byte_time = between(milliseconds(1), kLongestByteTime);
  return fault;
}

}  // namespace reelfarm::chaos
