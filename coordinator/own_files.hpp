#pragma once

#include <filesystem>
#include <string>

#include "queue/data_folder.hpp"

namespace reelfarm::coordinator {

/// Makes a window that another job rendered `job`'s own: a folder of the same name among its windows, with hard links
/// to the files (copies where the disk has no links) and a manifest that names the job. Returns its place, also when it
/// is there already. Throws artifacts::ArtifactError.
std::filesystem::path own_window(const queue::DataFolder& data, const std::filesystem::path& window,
                                 const std::string& job);

/// The same for the first frame that text-to-image made.
std::filesystem::path own_image(const queue::DataFolder& data, const std::filesystem::path& image,
                                const std::string& job);

}  // namespace reelfarm::coordinator
