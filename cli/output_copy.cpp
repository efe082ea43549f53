#include "cli/output_copy.hpp"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "coordinator/output_placement.hpp"
#include "coordinator/output_template.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "queue/errors.hpp"

namespace reelfarm::cli {
namespace {

constexpr std::chrono::seconds kPatience{60};
constexpr std::chrono::milliseconds kLook{100};

/// True when it lies under the --output-root of the coordinator that works on DATA.
bool coordinator_places(const queue::DataFolder& data, const std::filesystem::path& output) {
  std::ifstream file(data.coordinator_file());
  const auto document = nlohmann::json::parse(file, nullptr, false);
  return document.is_object() && coordinator::lies_under(output, document.value("output_root", ""));
}

std::string placed_copy(const queue::JobRecord& job, const queue::DataFolder& data) {
  const auto output = coordinator::expand_output(job.spec.output, job.id, job.spec);
  if (!coordinator_places(data, output)) return coordinator::place_output(data, job).string();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    if (const auto placed = coordinator::placed_output(data, job.id)) return placed->string();
    std::this_thread::sleep_for(kLook);
  }
  std::fprintf(stderr, "note: the coordinator has not put the copy at %s yet\n", output.c_str());
  return (data.root() / job.output).string();
}

std::string complain(const coordinator::JobView& view, const char* words) {
  std::fprintf(stderr, "reelfarm: the video is done, but its copy could not be put: %s\n", words);
  return view.output;
}

}  // namespace

void say_who_puts_copy(const queue::JobSpec& spec, const std::string& job, const queue::DataFolder& data,
                       bool waiting) {
  if (spec.output.empty()) return;
  const auto output = coordinator::expand_output(spec.output, job, spec);
  const bool by_coordinator = coordinator_places(data, output);
  if (waiting || by_coordinator) {
    std::fprintf(stderr, "note: the copy will be put at %s by %s\n", output.c_str(),
                 by_coordinator ? "the coordinator" : "this command");
  } else {
    std::fprintf(
        stderr,
        "note: nobody will put a copy at %s: add --wait, run 'reelfarm watch %s', or start the coordinator with "
        "an --output-root above it; the video will be under %s\n",
        output.c_str(), job.c_str(), data.videos().c_str());
  }
}

std::string output_of(const coordinator::JobView& view, const queue::DataFolder& data) {
  if (view.job.state != queue::JobState::done || view.job.spec.output.empty()) return view.output;
  try {
    return placed_copy(view.job, data);
  } catch (const artifacts::ArtifactError& error) {
    return complain(view, error.what());
  } catch (const queue::Error& error) {
    return complain(view, error.what());
  }
}

}  // namespace reelfarm::cli
