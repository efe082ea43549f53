#include "pipeline/vae/causal_padding.hpp"

#include "pipeline/nn/video_kernels.hpp"

namespace reelfarm::vae {
namespace {

// Fills `count` slices before and after the inner part of one dimension with its first and last slice.
void replicate(const at::Tensor& x, std::int64_t dim, std::int64_t before, std::int64_t after) {
  const std::int64_t size = x.size(dim);
  if (before > 0) x.narrow(dim, 0, before).copy_(x.narrow(dim, before, 1).expand_as(x.narrow(dim, 0, before)));
  if (after > 0) {
    const at::Tensor border = x.narrow(dim, size - after, after);
    border.copy_(x.narrow(dim, size - after - 1, 1).expand_as(border));
  }
}

}  // namespace

PaddedVideo::PaddedVideo(std::array<std::int64_t, 5> sizes, const at::TensorOptions& options, std::int64_t time,
                         std::int64_t space)
    : time_(time), space_(space) {
  sizes[2] += time;
  sizes[3] += 2 * space;
  sizes[4] += 2 * space;
  whole_ = at::empty(sizes, options.memory_format(at::MemoryFormat::ChannelsLast3d));
}

PaddedVideo::PaddedVideo(const at::Tensor& video, std::int64_t time, std::int64_t space)
    : PaddedVideo({video.size(0), video.size(1), video.size(2), video.size(3), video.size(4)}, video.options(), time,
                  space) {
  if (nn::plugin_takes_video(video) && nn::plugin_takes_video(whole_)) {
    nn::launch_pad_video(video, {}, {}, whole_, time, space);
    return;
  }
  inside().copy_(video);
  replicate_borders();
}

at::Tensor PaddedVideo::inside() const {
  return whole_.narrow(2, time_, whole_.size(2) - time_)
      .narrow(3, space_, whole_.size(3) - 2 * space_)
      .narrow(4, space_, whole_.size(4) - 2 * space_);
}

void PaddedVideo::replicate_borders() const {
  // Columns first, then whole rows, then whole frames: corners come out right without a case of their own.
  const at::Tensor frames = whole_.narrow(2, time_, whole_.size(2) - time_);
  replicate(frames.narrow(3, space_, whole_.size(3) - 2 * space_), 4, space_, space_);
  replicate(frames, 3, space_, space_);
  replicate(whole_, 2, time_, 0);
}

}  // namespace reelfarm::vae
