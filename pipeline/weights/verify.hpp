#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "pipeline/weights/bundle.hpp"

namespace reelfarm::weights {

/// Values of a tensor that no weight can have.
struct BadValues {
  std::uint64_t count = 0;
  std::uint64_t first_index = 0;  ///< row-major; meaningful when count > 0
};

/// Reads every value: infinities and NaN of the floating-point types, anything but 0 and 1 of booleans.
BadValues find_bad_values(const TensorInfo& tensor);

/// Tensors of a part that are missing, have another shape than the part's configuration says, or (transformer and VAE)
/// are unknown to it; one line each, naming file and tensor. Reads no values. Throws WeightError for a file or a
/// configuration that cannot be read.
std::vector<std::string> wrong_tensors(const Bundle& bundle, const std::string& part);

struct Verification {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> problems;  ///< one line each, naming part, file and tensor; empty when all is well
};

/// Reads every value and every check sum of these weights, and adds what is wrong with them. Throws WeightError for a
/// check sum that is not met.
void verify_source(const std::string& part, const TensorSource& source, Verification& result);

/// Looks for missing parts and wrong tensors, and reads every value of every part. `on_part` is called before each
/// part's weights are read, with its name and bytes. Throws nothing for a bad bundle that could be opened: it is in the
/// problems.
Verification verify(const Bundle& bundle,
                    const std::function<void(const std::string&, std::uint64_t)>& on_part = nullptr);

}  // namespace reelfarm::weights
