#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace reelfarm::weights::detail {

/// Names for a message: the first ten, and how many there are.
class NameList {
 public:
  void add(std::string_view name) {
    if (++count_ <= kShown) text_.append(text_.empty() ? "" : ", ").append(name);
  }
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  /// "a, b" or "a, ..., j and 7 more"
  std::string text() const {
    return count_ <= kShown ? text_ : text_ + " and " + std::to_string(count_ - kShown) + " more";
  }

 private:
  static constexpr std::size_t kShown = 10;
  std::size_t count_ = 0;
  std::string text_;
};

}  // namespace reelfarm::weights::detail
