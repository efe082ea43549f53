#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "cli/doctor/checks.hpp"
#include "cli/errors.hpp"
#include "cli/siblings.hpp"
#include "cli/text.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/file.hpp"

namespace reelfarm::cli {
namespace {

namespace fs = std::filesystem;

Finding check_writable(const queue::DataFolder& data) try {
  const fs::path probe = data.run() / (".doctor-" + std::to_string(::getpid()) + ".tmp");
  artifacts::write_file_durably(probe, "written by reelfarm doctor\n");
  fs::remove(probe);
  const auto space = fs::space(data.root());
  return {Health::ok, "data", "can be written, " + bytes_text(space.available) + " free"};
} catch (const artifacts::ArtifactError& error) {
  return {Health::problem, "data", error.what(), "free the disk or mend its rights"};
} catch (const fs::filesystem_error& error) {
  return {Health::problem, "data", error.what(), "look whether the disk is mounted"};
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
  return {{Health::ok, "data", data.root().string() + " is farm " + farm_id + "'s"}, check_writable(data)};
}

std::vector<Finding> check_programs() {
  return {check_sibling("reelfarm-image", Health::problem, "submit images"),
          check_sibling("reelfarm-coordinator", Health::note, "run a farm here"),
          check_sibling("reelfarm-stitcher", Health::note, "run a farm here"),
          check_sibling("reelfarm-worker", Health::note, "run worker groups here"),
          check_sibling("reelfarm-ranks", Health::note, "run worker groups here"),
          check_mpirun()};
}

}  // namespace reelfarm::cli
