// Any bytes as a file of torch.save: read or refused with WeightError, and every tensor lies inside the file.
#include "tests/fuzz/weight_input.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  reelfarm::fuzz::read_weights(data, size, "PK\x03\x04");
  return 0;
}
