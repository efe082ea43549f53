#include "pipeline/render/networks.hpp"

#include <string>
#include <utility>

#include "pipeline/dit/config.hpp"
#include "pipeline/nn/parameter_reader.hpp"

namespace reelfarm::render {
namespace {

dit::Transformer load_transformer(const weights::Bundle& bundle, const std::string& component,
                                  const nn::Placement& placement) {
  const nn::ParameterReader reader(bundle.tensors(component), placement);
  return dit::Transformer(reader, dit::DitConfig::from_file(bundle.folder(component) / "config.json"));
}

}  // namespace

Networks Networks::load(const weights::Bundle& bundle, const nn::Placement& placement, const Residency& residency,
                        const std::function<void(double part)>& on_part) {
  const auto tell = [&](double part) {
    if (on_part) on_part(part);
  };
  // Order of size, so that the bar of a large bundle moves.
  auto vae = vae::CausalVae::open(bundle.folder("vae"), placement);
  tell(0.15);
  std::optional<dit::Transformer> image;
  if (bundle.manifest().t2i)
    image.emplace(load_transformer(bundle, "transformer_t2i", Residency::placed(placement, residency.image_blocks)));
  tell(0.3);
  dit::Transformer video =
      load_transformer(bundle, "transformer", Residency::placed(placement, residency.video_blocks));
  tell(1.0);
  return {std::move(vae), std::move(image), std::move(video)};
}

const dit::Transformer& Networks::at(std::size_t transformer) const {
  return transformer == kImageTransformer ? image.value() : video;
}

}  // namespace reelfarm::render
