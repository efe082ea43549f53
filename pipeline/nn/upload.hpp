#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

namespace reelfarm::nn {

/// `mapped`, a dense tensor in pageable memory (a mapped file), on a GPU, in its own type.
///
/// It goes through a few pinned buffers: while some are on their way over the bus, several threads fill the next, also
/// from one tensor to the next, so that the slower of storage and bus sets the pace. A plain copy waits for each piece
/// of pageable memory in turn, and even a small one for all copies before it. What the current stream is given after
/// this call finds the values; the host need not wait, and `mapped` has been read when it returns. One thread at a time
/// per device; others wait.
at::Tensor upload(const at::Tensor& mapped, c10::Device device);

}  // namespace reelfarm::nn
