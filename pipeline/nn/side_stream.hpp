#pragma once

#include <optional>

#include <c10/core/Device.h>
#include <c10/core/Stream.h>

namespace reelfarm::nn {

/// A stream of its own for one of several threads that work on a device at once. On one common stream the work of both
/// would be one sequence, in an order that no other rank has: two ranks would wait for each other's exchanges for ever.
/// Always the same stream, as LibTorch keeps freed memory per stream. On the CPU it is nothing.
class SideStream {
 public:
  explicit SideStream(c10::Device device);

  /// While it lives, the calling thread works on the side stream, behind what its own stream had been given before. At
  /// its end the thread waits until that work is done. One thread at a time.
  class Use {
   public:
    explicit Use(const SideStream& side);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    std::optional<c10::Stream> side_;
    std::optional<c10::Stream> own_;
  };

 private:
  std::optional<c10::Stream> stream_;
};

}  // namespace reelfarm::nn
