#pragma once

namespace reelfarm::nn {

/// Makes this process keep the memory of freed CPU tensors for the next ones, and back large ones with huge pages where
/// the kernel allows it. By default every tensor of more than 32 MB is mapped, zeroed page by page and unmapped again,
/// which takes a third of a VAE decode. Call it once, first thing in main(), in programs that run models; the process
/// then stays as large as it ever was.
void keep_host_memory();

}  // namespace reelfarm::nn
