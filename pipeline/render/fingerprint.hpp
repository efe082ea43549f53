#pragma once

#include <string>

#include "pipeline/nn/placement.hpp"

namespace reelfarm::render {

/// Everything that decides the bits of a rendered window, besides the request itself.
struct FingerprintParts {
  std::string bundle_hash;
  nn::Placement placement;
  std::string mesh;  ///< "1x1": ulysses x ring
  int threads = 1;   ///< per rank: the order of sums inside a matrix product depends on it
  std::string tiles;
};

/// 16 hexadecimal digits over the parts, the program's version, LibTorch's version and the class of the device (GPU
/// model, or the CPU's vector extensions, which choose the kernels). Groups with one fingerprint render the same bits.
std::string fingerprint_of(const FingerprintParts& parts);

/// The device for people: "NVIDIA H100 80GB HBM3", or the CPU's model and vector extensions.
std::string device_name(c10::Device device);

}  // namespace reelfarm::render
