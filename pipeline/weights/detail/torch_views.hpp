#pragma once

#include <span>
#include <string>

#include "pipeline/weights/detail/pickle_reader.hpp"
#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights::detail {

/// A tensor of a saved storage, without its name and file. Mapped where it is contiguous, gathered otherwise. Throws
/// WeightError, opened by `at`, for a view that leaves its storage, for a storage of another size than its member, and
/// for an expanded tensor, which stands for more elements than its storage has.
TensorInfo view_of(const PickleTensor& tensor, std::span<const std::byte> storage, const std::string& at);

}  // namespace reelfarm::weights::detail
