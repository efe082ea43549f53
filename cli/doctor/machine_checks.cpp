#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "cli/doctor/checks.hpp"
#include "cli/errors.hpp"
#include "cli/siblings.hpp"
#include "cli/text.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"
#include "posix/mpirun.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

/// Milliseconds that a small file takes to be written, synced and renamed in DATA: the median of a few.
double durable_write_ms(const fs::path& probe) {
  std::array<double, 5> times{};
  for (double& time : times) {
    const auto begin = std::chrono::steady_clock::now();
    artifacts::write_file_durably(probe, "written by reelfarm doctor\n");
    time = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

std::vector<Finding> check_writable(const queue::DataFolder& data) try {
  const fs::path probe = data.run() / (".doctor-" + std::to_string(::getpid()) + ".tmp");
  const double took_ms = durable_write_ms(probe);
  fs::remove(probe);
  const auto space = fs::space(data.root());
  return {{Health::ok, "data", "can be written, " + bytes_text(space.available) + " free"}, judge_storage(took_ms)};
} catch (const artifacts::ArtifactError& error) {
  return {{Health::problem, "data", error.what(), "free the disk or mend its rights"}};
} catch (const fs::filesystem_error& error) {
  return {{Health::problem, "data", error.what(), "look whether the disk is mounted"}};
}

Finding check_sibling(const std::string& name, Health when_missing, const std::string& purpose) try {
  return {Health::ok, name, find_sibling(name).string()};
} catch (const BadInput& error) {
  return {when_missing, name, error.what(), "needed to " + purpose};
}

Finding check_mpirun() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const fs::path program = fs::path(folder) / "mpirun";
    if (::access(program.c_str(), X_OK) == 0) return {Health::ok, "mpirun", program.string()};
  }
  return {Health::note, "mpirun", "is not in PATH", "needed to run worker groups here: install Open MPI"};
}

}  // namespace

std::vector<Finding> check_data(const queue::DataFolder& data, const std::string& farm_id) {
  const std::string complaint = data.complaint(farm_id);
  if (!complaint.empty()) {
    return {{Health::problem, "data", complaint, "name the farm's folder with --data, or mount it"}};
  }
  std::vector<Finding> findings = {{Health::ok, "data", data.root().string() + " is farm " + farm_id + "'s"}};
  for (Finding& finding : check_writable(data)) findings.push_back(std::move(finding));
  return findings;
}

Finding judge_storage(double durable_write_ms) {
  // Redis waits for as much at every change where its append-only file lies in DATA.
  constexpr double kSlow_ms = 100;
  char text[80];
  std::snprintf(text, sizeof text, "a file is written, synced and renamed in %.1f ms", durable_write_ms);
  if (durable_write_ms <= kSlow_ms) return {Health::ok, "storage", text};
  return {Health::note, "storage", text,
          "the farm is not harmed, and slow to answer if Redis keeps its files here: give it a faster disk (--redis)"};
}

std::vector<Finding> check_bundle(const fs::path& folder, const FarmRecords& records) try {
  const posix::Ended verified = run_sibling("reelfarm-bundle", {"verify", folder.string()});
  if (verified.exit_code != 0) {
    return {{Health::problem, "weights", folder.string() + ": " + one_line(verified.errors + verified.output, 300),
             "copy them again, or see docs/weights.md"}};
  }
  const std::string facts = run_sibling("reelfarm-bundle", {"inspect", folder.string(), "--json"}).output;
  const bool known =
      std::any_of(records.bundles.begin(), records.bundles.end(),
                  [&](const queue::BundleLimits& bundle) { return facts.find(bundle.hash) != std::string::npos; });
  std::vector<Finding> findings = {{Health::ok, "weights", folder.string() + " is whole"}};
  if (!records.bundles.empty() && !known) {
    findings.push_back({Health::note, "weights", "no group has offered these to the farm",
                        "a group that has others cannot go on with jobs that were begun with these"});
  }
  return findings;
} catch (const BadInput& error) {
  return {{Health::problem, "weights", error.what(), "install it beside this program"}};
}

Finding judge_driver(const std::string& line) {
  if (line.empty()) {
    return {Health::note, "driver", "no NVIDIA driver is loaded",
            "groups here render on the CPU; for a GPU install its driver"};
  }
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    if (word.find('.') != std::string::npos && word.find_first_not_of("0123456789.") == std::string::npos) {
      return {Health::ok, "driver", "NVIDIA " + word};
    }
  }
  return {Health::ok, "driver", one_line(line, 120)};
}

std::vector<Finding> check_programs() {
  std::string driver;
  std::getline(std::ifstream("/proc/driver/nvidia/version"), driver);
  std::vector<Finding> findings = {check_sibling("reelfarm-image", Health::problem, "submit images"),
                                   check_sibling("reelfarm-coordinator", Health::note, "run a farm here"),
                                   check_sibling("reelfarm-stitcher", Health::note, "run a farm here"),
                                   check_sibling("reelfarm-worker", Health::note, "run worker groups here"),
                                   judge_driver(driver)};
  const Finding ranks = check_sibling("reelfarm-ranks", Health::note, "run worker groups here");
  const Finding mpirun = check_mpirun();
  findings.insert(findings.end(), {ranks, mpirun});
  if (ranks.health != Health::ok || mpirun.health != Health::ok) return findings;
  std::istringstream words(posix::mpirun_words());
  const std::vector<std::string> launcher{std::istream_iterator<std::string>(words), {}};
  for (Finding& finding : check_ranks(launcher, ranks.text)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace reelfarm::cli
