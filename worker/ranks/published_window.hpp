#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {

/// A window that is on the disk already, whole: the queue has lost the word of it, or its group died between the rename
/// and the word.
struct PublishedWindow {
  FileReference file;
  FileReference tail;
  std::string metrics;  ///< JSON object
};

/// Looks in the order's folder for a window with the order's artifact key and start and this fingerprint whose files
/// have the hashes of its manifest. One that is damaged is passed by, and `note` hears why.
std::optional<PublishedWindow> find_published(const std::filesystem::path& data, const TaskOrder& order,
                                              const std::string& fingerprint,
                                              const std::function<void(const std::string&)>& note);

}  // namespace reelfarm::worker
