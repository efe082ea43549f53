#pragma once

#include <stdexcept>

namespace reelfarm::video {

/// Base of what FFmpeg or this module refuses; disk trouble is artifacts::StorageError instead.
class VideoError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An input image or video that cannot be used: the user has to give another one.
class BadMedia : public VideoError {
 public:
  using VideoError::VideoError;
};

}  // namespace reelfarm::video
