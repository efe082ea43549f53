#include "tests/chaos/hang_report.hpp"

#include <deque>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/siblings.hpp"

namespace reelfarm::chaos {
namespace {

constexpr std::size_t kLines = 15;

void run(const Farm& farm, std::vector<std::string> words) {
  std::cout << "---- reelfarm";
  for (const std::string& word : words) std::cout << ' ' << word;
  words.insert(words.end(), {"--redis", farm.direct().url, "--data", farm.data().root().string()});
  const posix::Ended said = cli::run_sibling("reelfarm", words);
  std::cout << '\n' << said.output << said.errors;
}

void print_end(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::deque<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
    if (lines.size() > kLines) lines.pop_front();
  }
  std::cout << "---- " << file.string() << '\n';
  for (const std::string& line : lines) std::cout << line << '\n';
}

}  // namespace

void report_hang(Farm& farm, const std::vector<std::string>& jobs) {
  for (const std::string& job : jobs) {
    for (const char* verb : {"show", "why"}) run(farm, {verb, job});
  }
  run(farm, {"groups"});
  for (const auto& entry : std::filesystem::directory_iterator(farm.data().logs())) print_end(entry.path());
  std::cout.flush();
}

}  // namespace reelfarm::chaos
