#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace reelfarm::coordinator {

/// The folder of this program.
std::filesystem::path program_folder();

/// A program of this installation: beside this one, else in PATH. Throws BadInput naming both places.
std::filesystem::path find_sibling(const std::string& name);

struct Captured {
  int exit_code = 0;  ///< 128 + signal when it was killed
  std::string output;
  std::string errors;
};

/// Runs a program to its end and takes what it prints. Throws std::system_error when it cannot be started.
Captured run_and_capture(const std::filesystem::path& program, const std::vector<std::string>& words);

}  // namespace reelfarm::coordinator
