#include "worker/ranks/window_writer.hpp"

#include <ATen/ATen.h>

#include <utility>

#include "pipeline/windows/grid.hpp"

namespace reelfarm::worker {

WindowWriter::WindowWriter(const std::filesystem::path& data, const TaskOrder& order, const std::string& fingerprint,
                           at::Tensor latents, Listeners listeners)
    : data_(data),
      order_(order),
      latents_(std::move(latents)),
      listeners_(std::move(listeners)),
      frames_(windows::frames_of_latents(order.num_latents)),
      sorter_(frames_, windows::frames_of_latents(order.tail_latents)),
      publisher_(data, order, fingerprint) {}

void WindowWriter::add(const render::DecodedFrames& piece) {
  sorter_.add(piece.first_frame, piece.rgb8, [this](const at::Tensor& frames) { write(frames); });
  if (const std::optional<at::Tensor> frames = sorter_.take_tail()) {
    tail_ = publish_tail(data_, order_,
                         {*frames, latents_.narrow(2, order_.num_latents - order_.tail_latents, order_.tail_latents)});
    listeners_.on_tail(*tail_);
  }
}

void WindowWriter::write(const at::Tensor& frames) {
  constexpr int kBlack = 8;
  black_frames_ += frames.flatten(1).amax(1).le(kBlack).sum().item<std::int64_t>();
  publisher_.write(frames);
  listeners_.on_written(static_cast<double>(sorter_.written()) / static_cast<double>(frames_));
}

FileReference WindowWriter::publish(const std::string& metrics) {
  return publisher_.publish(tail_.value(), metrics);
}

}  // namespace reelfarm::worker
