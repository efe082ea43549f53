#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "pipeline/render/renderer.hpp"
#include "worker/protocol/messages.hpp"
#include "worker/ranks/reporter.hpp"
#include "worker/ranks/stop_requests.hpp"

namespace reelfarm::worker {

/// Two stations in a line: one thread encodes and denoises a window while another decodes and writes the one before it.
/// The tail of a window is decoded and published first, so that the agent gets the next window at once.
class WindowLine {
 public:
  struct Setup {
    const render::Renderer& renderer;
    Reporter& reporter;
    StopRequests& stops;
    std::filesystem::path data;
    std::string fingerprint;
    int threads = 1;  ///< for each of the two stations
  };

  explicit WindowLine(const Setup& setup);
  /// Waits for what is in the line; ask StopRequests first to make that short.
  ~WindowLine();
  WindowLine(const WindowLine&) = delete;
  WindowLine& operator=(const WindowLine&) = delete;

  /// Takes an order; what becomes of it goes to the reporter: done, failed or released, once.
  void take(const TaskOrder& order);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace reelfarm::worker
