#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/windows/errors.hpp"

/// The one integer grid of every mode: which latent frames and pixel frames each window covers.
/// A causal video VAE turns 4 pixel frames into one latent frame, except the first of a clip, which is 1 frame.
namespace reelfarm::windows {

inline constexpr std::int64_t kFramesPerLatent = 4;
/// About 11 hours at 24 frames a second: more is a slip of the keyboard, not a video.
inline constexpr std::int64_t kMaxFrames = 1'000'000;
inline constexpr std::int64_t kMaxWindowFrames = 4097;

/// Pixel frames of a clip of `latents` latent frames (at least 1): 4(n-1)+1.
std::int64_t frames_of_latents(std::int64_t latents);
/// Fewest latent frames whose clip has at least `frames` pixel frames (at least 1): ceil((frames-1)/4)+1.
std::int64_t latents_for_frames(std::int64_t frames);
/// True for 1, 5, 9, 13, ...: the lengths a clip can have.
bool is_clip_length(std::int64_t frames);

struct GridRequest {
  std::int64_t frames = 0;          ///< pixel frames of the final video
  std::int64_t window_frames = 0;   ///< pixel frames of one model call, 4k+1
  std::int64_t overlap_frames = 1;  ///< pixel frames that neighbours share, 1, 5, 9, 13, ...
};

/// A span of frames, both ends in.
struct FrameSpan {
  std::int64_t first = 0;
  std::int64_t last = 0;

  std::int64_t count() const { return last - first + 1; }
  bool contains(std::int64_t frame) const { return first <= frame && frame <= last; }
  bool operator==(const FrameSpan&) const = default;
};

struct Window {
  std::int64_t index = 0;
  FrameSpan latents;  ///< global latent frames that the model renders
  FrameSpan frames;   ///< global pixel frames that come out of the decoder
  FrameSpan kept;     ///< `frames` without what lies behind the end of the video
  FrameSpan fresh;    ///< frames of `kept` that no earlier window has; never empty, and together they are the video

  bool operator==(const Window&) const = default;
};

struct Grid {
  std::int64_t frames = 0;           ///< T: pixel frames of the final video
  std::int64_t latents = 0;          ///< L: latent frames those need
  std::int64_t window_latents = 0;   ///< w, or L when one window is enough
  std::int64_t overlap_latents = 0;  ///< c
  std::int64_t overlap_frames = 0;   ///< 4(c-1)+1
  std::vector<Window> windows;

  /// Frames that are decoded in all, overlaps and overshoot included.
  std::int64_t rendered_frames() const;
  /// The window whose fresh frames contain `frame`; throws InvalidRequest outside the video.
  const Window& window_at(std::int64_t frame) const;
};

/// Checks the request against the grid's rules; throws InvalidRequest.
void check(const GridRequest& request);

/// Lays the windows over the video: with w, c, L in latents, s_j = j(w-c) and N = ceil((L-w)/(w-c))+1 when L > w, else
/// one window of just L latents. The last of several windows overshoots and is trimmed. Throws InvalidRequest.
Grid plan(const GridRequest& request);

struct WindowSaving {
  std::int64_t frames = 0;        ///< frames of the video that would do with one window less
  std::int64_t fewer_frames = 0;  ///< how many frames less that is

  /// "241 frames instead of 242 (1 fewer) need 2 windows instead of 3"
  std::string describe(const Grid& grid) const;
};

/// The shorter video that saves a whole window, when it is at most `max_fewer_frames` shorter.
std::optional<WindowSaving> window_saving(const Grid& grid, std::int64_t max_fewer_frames = kFramesPerLatent);

}  // namespace reelfarm::windows
