#pragma once

#include <string>

#include "queue/job.hpp"
#include "queue/task.hpp"

namespace reelfarm::coordinator {

/// Content addresses of what tasks make: SHA-256 over everything the output depends on but the fingerprint, which only
/// the group that claims the job knows. Equal keys under one fingerprint mean equal bytes.

/// The first frame that text-to-image makes.
std::string image_key(const queue::TaskSpec& task);
/// `before` is the key of what the window starts from: the window before, the T2I image, or empty.
std::string window_key(const queue::TaskSpec& task, const std::string& mode, const std::string& before);
/// `last_window` is the last window's key, which depends on all the others in a chain.
std::string stitch_key(const queue::TaskSpec& task, const std::string& last_window);

}  // namespace reelfarm::coordinator
