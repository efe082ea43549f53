// reelfarm-bundle: says what a folder of weights can do, and whether it is whole.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/bundle/options.hpp"
#include "cli/bundle/report.hpp"
#include "pipeline/weights/bundle_hash.hpp"
#include "pipeline/weights/verify.hpp"

namespace {

using namespace reelfarm;

constexpr int kBadInput = 2;

/// Throws for what would only come to light when the weights are loaded: a missing part, a broken file, a tensor that
/// is not there or has another shape.
void check_files(const weights::Bundle& bundle) {
  constexpr std::size_t kShown = 5;
  std::vector<std::string> wrong;
  for (const std::string& part : bundle.weighted_components())
    for (std::string& line : weights::wrong_tensors(bundle, part)) wrong.push_back(part + ": " + std::move(line));
  std::string text;
  for (std::size_t i = 0; i < std::min(wrong.size(), kShown); ++i) text += "\n  " + wrong[i];
  if (wrong.size() > kShown) text += "\n  and " + std::to_string(wrong.size() - kShown) + " more";
  if (!wrong.empty())
    throw weights::WeightError("weights: " + bundle.path().string() + " does not fit its configuration:" + text);
  bundle.require_complete();
}

int inspect(const bundle::BundleCommand& command) {
  const weights::Bundle opened = weights::Bundle::open(command.folder);
  if (command.json) {
    check_files(opened);
    const std::string hash = weights::bundle_hash(opened, command.cache);
    std::printf("%s\n", bundle::limits_json(opened.manifest(), hash).dump().c_str());
    return 0;
  }
  const std::string hash = weights::bundle_hash(opened, command.cache);
  std::fputs(bundle::description(opened, hash).c_str(), stdout);
  std::fflush(stdout);
  check_files(opened);
  return 0;
}

int verify(const bundle::BundleCommand& command) {
  const weights::Bundle opened = weights::Bundle::open(command.folder);
  const weights::Verification result = weights::verify(opened, [](const std::string& part, std::uint64_t bytes) {
    std::fprintf(stderr, "reading %s, %.1f MB\n", part.c_str(), static_cast<double>(bytes) / 1e6);
  });
  if (command.json)
    std::printf(
        "%s\n",
        bundle::verification_json(result).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  else
    std::printf("%llu tensors, %.1f MB: %s\n", static_cast<unsigned long long>(result.tensors),
                static_cast<double>(result.bytes) / 1e6,
                result.problems.empty() ? "all finite, nothing missing" : "not usable");
  for (const std::string& problem : result.problems) std::fprintf(stderr, "%s\n", problem.c_str());
  return result.problems.empty() ? 0 : kBadInput;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto command = bundle::read_options(argc, argv);
    if (!command) return 0;
    return command->verb == bundle::Verb::verify ? verify(*command) : inspect(*command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reelfarm-bundle: %s\n", error.what());
    return kBadInput;
  }
}
