#include "cli/bundle/quantization_report.hpp"

#include <cmath>

#include "cli/bundle/text.hpp"

namespace reelfarm::bundle {
namespace {

using weights::DType;
using weights::EightBitForm;

std::string row(const char* what, const weights::TransformerBytes& bytes) {
  const auto gigabytes = [](std::uint64_t number) { return static_cast<double>(number) / 1e9; };
  return printed("  %-28s %9.3f %11.3f %8.3f %8.3f GB\n", what, gigabytes(bytes.products), gigabytes(bytes.modulation),
                 gigabytes(bytes.rest), gigabytes(bytes.total()));
}

}  // namespace

std::string description(const weights::Quantization& quantization) {
  double squares = 0;
  for (const auto& layer : quantization.layers) squares += layer.error * layer.error;
  const double mean = std::sqrt(squares / static_cast<double>(quantization.layers.size()));
  const auto size = [](std::uint64_t bytes) { return scaled(static_cast<double>(bytes), "B"); };
  return "quantised   " + quantization.format + ", " + std::to_string(quantization.layers.size()) + " layers" +
         (quantization.modulation ? ", modulation too" : "") + ", transformers " + size(quantization.bytes_before) +
         " -> " + size(quantization.bytes_after) + "\n" +
         printed("error       %.2e (root of the mean square of the layers), largest %.2e: ", mean,
                 quantization.worst().error) +
         quantization.worst().part + "/" + quantization.worst().name + "\nof          " + quantization.source_name +
         " " + quantization.source_hash + "\n";
}

std::string size_table(const std::filesystem::path& folder) {
  const weights::Bundle bundle = weights::Bundle::open(folder);
  std::string text;
  for (const char* part : {"transformer", "transformer_t2i"}) {
    if (!std::filesystem::exists(bundle.folder(part) / "config.json")) continue;
    const weights::Config config = bundle.config(part);
    text += std::string(part) + printed("\n  %-28s %9s %11s %8s %8s\n", "", "products", "modulation", "rest", "all");
    text += row("bf16", weights::transformer_bytes(config, std::nullopt));
    // Both have 8 bits and a scale for each output.
    text += row("int8 or fp8", weights::transformer_bytes(config, EightBitForm{}));
    text += row("int8 or fp8, --modulation", weights::transformer_bytes(config, EightBitForm{DType::i8, true}));
  }
  return text;
}

}  // namespace reelfarm::bundle
