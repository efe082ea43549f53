// reelfarm-chaos: nothing lost and nothing done twice, whatever is killed, stopped, cut or slow.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include "tests/chaos/campaign.hpp"
#include "tests/chaos/options.hpp"
#include "tests/chaos/table.hpp"

namespace {

constexpr int kBadInput = 2;

int run(int argc, char** argv) {
  using namespace reelfarm::chaos;
  auto options = read_options(argc, argv);
  if (!options) return 0;
  options->farm.data = std::filesystem::temp_directory_path() / ("rf-chaos-" + std::to_string(::getpid()));
  const std::string again = command_line(*options);
  const std::filesystem::path data = options->farm.data;
  std::cout << again << std::endl;
  bool good = false;
  try {
    Campaign campaign(*options, {});
    const Outcome outcome = campaign.run();
    std::cout << make_table(campaign, outcome, "this version has no disk of its own to fill");
    good = outcome.good();
  } catch (const std::exception& error) {
    std::cout << "WRONG: " << error.what() << '\n';
  }
  if (good) {
    std::filesystem::remove_all(data);
  } else {
    std::cout << "the farm's folder stays for a look: " << data.string() << "\nonce more: " << again << '\n';
  }
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const reelfarm::chaos::OptionError& error) {
    std::fprintf(stderr, "reelfarm-chaos: %s\n", error.what());
    return kBadInput;
  }
}
