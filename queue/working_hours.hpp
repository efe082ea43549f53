#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::queue {

/// The times of day at which a group works, in this machine's time zone (TZ, /etc/localtime).
///
/// What counts is what a clock on the wall shows: a span that a change to summer time skips is left out on that day,
/// and one that the change back repeats is worked twice.
class WorkingHours {
 public:
  /// "20:00-07:00", or several with commas between. The end is outside; a span whose end is not behind its beginning
  /// goes over midnight; 24:00 is the end of a day. Throws std::invalid_argument.
  explicit WorkingHours(std::string_view text);

  bool contain(std::chrono::system_clock::time_point time) const;
  const std::string& text() const { return text_; }

 private:
  struct Span {
    int from = 0;  ///< minutes since midnight
    int to = 0;
  };
  std::string text_;
  std::vector<Span> spans_;
};

}  // namespace reelfarm::queue
