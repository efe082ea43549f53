#pragma once

#include <filesystem>
#include <string>

#include "queue/job.hpp"

namespace reelfarm::coordinator {

/// Throws Rejected unless `output` is an absolute path ending in .mp4 (or in a slash, a folder) whose {words} are
/// known: project, name, seed, take, job, bundle, variant.
void check_output_template(const std::string& output);

/// The path with its {words} filled in. Values are made safe as parts of one file name: a slash, a control character
/// and a leading dot or hyphen become '_'. An empty name becomes the job id, an empty project "default".
std::filesystem::path expand_output(const std::string& output, const std::string& job, const queue::JobSpec& spec);

}  // namespace reelfarm::coordinator
