#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/weights/bundle.hpp"

namespace reelfarm::weights {

/// How the products of a transformer's blocks are stored. Embedders, text refiner and final layer stay as they are.
struct EightBitForm {
  DType dtype = DType::i8;  ///< or f8_e4m3
  bool modulation = false;  ///< also the blocks' modulation, 27 % of a 13 B model, which is read once a prompt
};

struct QuantizeRequest {
  std::filesystem::path source;  ///< a bundle
  std::filesystem::path target;  ///< must not be there
  EightBitForm form;
  std::string name;             ///< empty: the source's
  std::filesystem::path cache;  ///< of file digests, for the source's hash; empty: none
  std::uint64_t shard_bytes = std::uint64_t{5} * 1000 * 1000 * 1000;
  std::function<void(const std::string&, std::uint64_t)> on_part = nullptr;  ///< before a part is written: name, bytes
};

/// What became of a bundle, as its quantization.json says.
struct Quantization {
  struct Layer {
    std::string part, name;
    std::vector<std::int64_t> shape;
    double error = 0;  ///< |stored - weight| / |weight|, Frobenius
  };
  std::string format;       ///< "int8" or "fp8"
  bool modulation = false;  ///< in 8 bits, too
  std::string source_name, source_hash;
  std::vector<Layer> layers;
  std::uint64_t bytes_before = 0, bytes_after = 0;  ///< of the transformers

  /// The layer with the largest error. There is one.
  const Layer& worst() const;
};

/// Writes a bundle whose transformers have 8-bit products with one scale for each output, which loads without the
/// source: matrix after matrix, so that memory holds the largest of them. Other parts are hard links where the file
/// system lets them. The bundle appears under its name when all of it is on the disk. Throws WeightError.
Quantization quantize(const QuantizeRequest& request);

/// quantization.json of a bundle that quantize() wrote. Throws WeightError for one that cannot be read.
std::optional<Quantization> quantization_of(const std::filesystem::path& bundle);

/// Bytes of a transformer's tensors in one form, by what they are.
struct TransformerBytes {
  std::uint64_t products = 0, modulation = 0, rest = 0;
  std::uint64_t total() const { return products + modulation + rest; }
};

/// From the configuration alone. Without a form all of it is bf16; in one, what stays is.
TransformerBytes transformer_bytes(const Config& config, const std::optional<EightBitForm>& form);

}  // namespace reelfarm::weights
