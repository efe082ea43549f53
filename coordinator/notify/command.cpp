#include "coordinator/notify/command.hpp"

#include <algorithm>
#include <system_error>

#include "posix/run_program.hpp"

namespace reelfarm::notify {
namespace {

constexpr std::size_t kWordsKept = 500;

std::string as_one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace

std::string run_command(const std::vector<std::string>& words, const std::string& input,
                        std::chrono::milliseconds limit) try {
  const posix::Ended ended = posix::run_program(
      {.words = words, .input = input, .errors = posix::ErrorStream::with_output, .limit = limit, .keep = kWordsKept});
  const std::string said = as_one_line(ended.output);
  const std::string what = said.empty() ? "" : ": " + said;
  if (!ended.in_time) return words[0] + " did not end in time and was killed" + what;
  if (ended.signal != 0) return words[0] + " was ended by signal " + std::to_string(ended.signal) + what;
  if (ended.exit_code != 0) return words[0] + " ended with code " + std::to_string(ended.exit_code) + what;
  return "";
} catch (const std::system_error& error) {
  return error.what();
}

}  // namespace reelfarm::notify
