#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "posix/run_program.hpp"

namespace reelfarm::coordinator {

/// The folder of this program.
std::filesystem::path program_folder();

/// A program of this installation: beside this one, else in PATH. Throws BadInput naming both places.
std::filesystem::path find_sibling(const std::string& name);

/// Runs that program to its end and takes what it prints. Throws BadInput as find_sibling() does, and
/// std::system_error when it cannot be started.
posix::Ended run_sibling(const std::string& name, const std::vector<std::string>& words);

}  // namespace reelfarm::coordinator
