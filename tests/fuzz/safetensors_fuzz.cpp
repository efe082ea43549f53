// Any bytes as a safetensors file: read or refused with WeightError, and every tensor lies inside the file.
#include <cstdlib>

#include "pipeline/weights/errors.hpp"
#include "pipeline/weights/safetensors.hpp"
#include "tests/fuzz/temporary_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const reelfarm::fuzz::TemporaryInput input(data, size);
  try {
    const reelfarm::weights::SafetensorsFile file(input.path());
    std::size_t bytes = 0;
    unsigned sum = 0;
    for (const auto& tensor : file.tensors()) {
      bytes += tensor.bytes.size();
      for (const std::byte value : tensor.bytes) sum += static_cast<unsigned>(value);
    }
    // Tensors do not overlap, so together they are no larger than the file.
    if (bytes > size || sum == ~0U) std::abort();
  } catch (const reelfarm::weights::WeightError&) {
  }
  return 0;
}
