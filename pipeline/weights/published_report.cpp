#include "pipeline/weights/published_report.hpp"

#include <set>

#include "pipeline/weights/detail/inferred_config.hpp"
#include "pipeline/weights/detail/other_models.hpp"
#include "pipeline/weights/detail/published_folder.hpp"

namespace reelfarm::weights {
namespace {

namespace fs = std::filesystem;
using Part = WeightForm::Part;

std::string variant_of(const TensorSource& source) {
  if (detail::condition_of(source)) return "image-to-video by latent concat (Magic 1-For-1's too)";
  return "text-to-video, or image-to-video by token replace: they have the same tensors";
}

std::string layers_of(const TensorSource& source) {
  const auto count = [&](const char* scope) { return std::to_string(detail::count_of(source, scope)); };
  return count("transformer_blocks.") + " double, " + count("single_transformer_blocks.") + " single, " +
         count("context_embedder.token_refiner.refiner_blocks.") + " refiner, guidance " +
         (source.find("time_text_embed.guidance_embedder.linear_1.weight") != nullptr ? "embedded" : "none");
}

std::string needs_of(const fs::path& path, const TensorSource& source) {
  const std::string convert = "reelfarm bundle convert " + path.string() + " --to DIR --base BUNDLE";
  if (source.form().overlay) return "a bundle to be laid over: " + convert;
  if (source.form().part == Part::vae) return "everything but the VAE: " + convert;
  const std::string choice = detail::condition_of(source) ? "" : " --variant t2v|token-replace";
  return "vae, text_encoder, tokenizer, text_encoder_2, tokenizer_2: " + convert + choice +
         " (or --vae, --text-encoder, --text-encoder-2)";
}

/// The part itself, or the transformer of a folder as Tencent lays it out.
fs::path part_in(const fs::path& path) {
  const auto folder = detail::published_folder(path);
  return folder ? folder->transformer : path;
}

}  // namespace

PublishedReport inspect_published(const fs::path& path) {
  const auto source = TensorSource::open_overlay(part_in(path));
  PublishedReport report;
  report.form = source->form();
  const bool whole = report.form.part == Part::transformer && !report.form.overlay;
  if (report.form.part == Part::other) {
    const std::string other = detail::looks_like(source->names());
    throw WeightError("weights: " + path.string() +
                      " is no bundle (no model_index.json), and no transformer or VAE of "
                      "HunyuanVideo" +
                      (other.empty() ? "" : "; it looks like " + other));
  }
  std::set<std::string> dtypes;
  for (const std::string& name : source->names()) {
    const TensorInfo& tensor = source->at(name);
    report.parameters += tensor.element_count();
    dtypes.emplace(name_of(tensor.dtype));
  }
  report.tensors = source->names().size();
  report.bytes = source->total_bytes();
  report.dtypes.assign(dtypes.begin(), dtypes.end());
  if (whole) {
    report.variant = variant_of(*source);
    report.layers = layers_of(*source);
  }
  report.needs = needs_of(path, *source);
  return report;
}

Verification verify_published(const fs::path& path) {
  Verification result;
  inspect_published(path);
  verify_source("weights", *TensorSource::open_overlay(part_in(path)), result);
  return result;
}

}  // namespace reelfarm::weights
