#include "parallel/all_or_none.hpp"

#include <ATen/ATen.h>

#include <exception>
#include <string>

namespace reelfarm::parallel {

void all_or_none(ProcessGroup& group, const std::function<void()>& act) {
  std::exception_ptr own;
  std::string words;
  try {
    act();
  } catch (const std::exception& error) {
    own = std::current_exception();
    words = error.what();
  }
  const at::Tensor failed = group.all_gather(at::full({1}, std::int64_t{own != nullptr}, at::kLong)).flatten();
  if (failed.sum().item<std::int64_t>() == 0) return;
  const int lowest = static_cast<int>(failed.argmax().item<std::int64_t>());
  const std::string told = group.broadcast_text(words, lowest);
  if (group.rank() == lowest) std::rethrow_exception(own);
  throw PeerFailed("rank " + std::to_string(lowest) + " of " + std::to_string(group.size()) + ": " + told);
}

}  // namespace reelfarm::parallel
