#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "pipeline/weights/errors.hpp"
#include "pipeline/weights/tensor_source.hpp"
#include "tests/fuzz/temporary_input.hpp"

namespace reelfarm::fuzz {

/// Opens the input as weights, translates their names, and reads every tensor. Inputs that do not begin with `magic`
/// are files of another format, which has a fuzzer of its own.
inline void read_weights(const std::uint8_t* data, std::size_t size, std::string_view magic) {
  if (size < magic.size() || !std::equal(magic.begin(), magic.end(), data)) return;
  const TemporaryInput input(data, size);
  try {
    const auto source = weights::TensorSource::open_overlay(input.path());
    unsigned sum = 0;
    for (const std::string& name : source->names()) {
      const weights::TensorBytes stored = weights::read(source->at(name));
      if (stored.bytes.size() != source->at(name).byte_count()) std::abort();
      for (const std::byte value : stored.bytes) sum += static_cast<unsigned>(value);
    }
    source->check_sums();
    if (sum == ~0U) std::abort();
  } catch (const weights::WeightError&) {
  }
}

}  // namespace reelfarm::fuzz
