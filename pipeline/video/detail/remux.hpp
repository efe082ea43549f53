#pragma once

#include <filesystem>

#include "pipeline/windows/frame_rate.hpp"

namespace reelfarm::video::detail {

/// Copies the video stream into another container, times starting at 0, and syncs it.
/// Throws BadMedia, VideoError and artifacts::StorageError.
void remux(const std::filesystem::path& from, const std::filesystem::path& to, const char* format,
           const windows::FrameRate& rate, bool faststart);

}  // namespace reelfarm::video::detail
