// reelfarm-bundle: says what weights can do and whether they are whole, and makes bundles of published ones.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/bundle/options.hpp"
#include "cli/bundle/published_report.hpp"
#include "cli/bundle/quantization_report.hpp"
#include "cli/bundle/report.hpp"
#include "cli/bundle/text.hpp"
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

bool is_bundle(const std::filesystem::path& path) {
  std::error_code ignored;
  // What is not there at all is a bundle that is not there.
  return !std::filesystem::exists(path, ignored) || std::filesystem::exists(path / "model_index.json", ignored);
}

int inspect(const bundle::BundleCommand& command) {
  if (!is_bundle(command.folder)) {
    const weights::PublishedReport report = weights::inspect_published(command.folder);
    const std::string text = command.json ? bundle::report_json(report).dump() + "\n" : bundle::description(report);
    std::fputs(text.c_str(), stdout);
    return 0;
  }
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
  const auto announce = [](const std::string& part, std::uint64_t bytes) {
    std::fprintf(stderr, "reading %s, %.1f MB\n", part.c_str(), static_cast<double>(bytes) / 1e6);
  };
  const weights::Verification result = is_bundle(command.folder)
                                           ? weights::verify(weights::Bundle::open(command.folder), announce)
                                           : weights::verify_published(command.folder);
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

void announce_writing(const std::string& part, std::uint64_t bytes) {
  std::fprintf(stderr, "%s, %s\n", part.c_str(), bundle::scaled(static_cast<double>(bytes), "B").c_str());
}

int convert_weights(weights::ConvertRequest request) {
  request.on_part = announce_writing;
  weights::convert(request);
  std::printf("%s\n", request.target.c_str());
  return 0;
}

int quantize_weights(const bundle::BundleCommand& command) {
  if (command.dry_run) {
    std::fputs(bundle::size_table(command.folder).c_str(), stdout);
    return 0;
  }
  weights::QuantizeRequest request = command.eight_bit;
  request.on_part = announce_writing;
  const weights::Quantization made = weights::quantize(request);
  std::fputs(bundle::description(made).c_str(), stderr);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::fprintf(stderr, "peak memory %s\n", bundle::scaled(static_cast<double>(usage.ru_maxrss) * 1024, "B").c_str());
  std::printf("%s\n", request.target.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto command = bundle::read_options(argc, argv);
    if (!command) return 0;
    if (command->verb == bundle::Verb::convert) return convert_weights(command->request);
    if (command->verb == bundle::Verb::quantize) return quantize_weights(*command);
    return command->verb == bundle::Verb::verify ? verify(*command) : inspect(*command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reelfarm-bundle: %s\n", error.what());
    return kBadInput;
  }
}
