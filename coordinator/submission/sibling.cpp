#include "coordinator/submission/sibling.hpp"

#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "coordinator/errors.hpp"

namespace reelfarm::coordinator {

std::filesystem::path program_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

std::filesystem::path find_sibling(const std::string& name) {
  std::filesystem::path beside = program_folder() / name;
  if (::access(beside.c_str(), X_OK) == 0) return beside;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    std::filesystem::path candidate = std::filesystem::path(folder.empty() ? "." : folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate)) return candidate;
  }
  throw BadInput(name + " is not installed: it is neither in " + program_folder().string() + " nor in PATH");
}

posix::Ended run_sibling(const std::string& name, const std::vector<std::string>& words) {
  posix::ProgramRun run{.words = {find_sibling(name).string()}};
  run.words.insert(run.words.end(), words.begin(), words.end());
  return posix::run_program(run);
}

}  // namespace reelfarm::coordinator
