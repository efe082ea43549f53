#include "pipeline/render/renderer.hpp"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "pipeline/dit/denoiser.hpp"
#include "pipeline/dit/noise.hpp"
#include "pipeline/dit/transformer.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/schedulers/flow_match.hpp"
#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/text_encoders/prompt_encoder.hpp"
#include "pipeline/vae/causal_vae.hpp"
#include "pipeline/vae/frames.hpp"

namespace reelfarm::render {
namespace {

dit::Transformer load_transformer(const weights::Bundle& bundle, const std::string& component,
                                  const nn::Placement& placement) {
  const nn::ParameterReader reader(bundle.tensors(component), placement);
  return dit::Transformer(reader, dit::DitConfig::from_file(bundle.folder(component) / "config.json"));
}

void tell(const OnProgress& on_progress, Phase phase, double fraction, int step = 0, int steps = 0) {
  if (on_progress) on_progress({phase, step, steps, fraction});
}

void check_tiles(const std::string& name) {
  const auto& known = vae::tile_plan_names();
  if (std::ranges::find(known, name) != known.end()) return;
  std::string message = "--tiles '" + name + "': no tile plan has this name; known:";
  for (const std::string_view plan : known) message += " " + std::string(plan);
  throw RequestError(message);
}

}  // namespace

struct Renderer::Models {
  weights::BundleManifest manifest;
  Options options;
  // Encoding a prompt is for one thread at a time, and const for everybody else.
  std::unique_ptr<text_encoders::PromptEncoder> prompts;
  std::unique_ptr<std::mutex> encoding = std::make_unique<std::mutex>();
  dit::Transformer video;
  std::optional<dit::Transformer> image;
  std::unique_ptr<vae::CausalVae> vae;

  dit::TextCondition encode(const std::string& prompt, const video::Image* seen, text_encoders::Branch branch) const;
  at::Tensor sample(const dit::Transformer& transformer, const dit::TextCondition& text, const WindowRequest& request,
                    const std::optional<dit::LatentCondition>& condition, const StepState& start, bool uses_guidance,
                    const OnProgress& on_progress, const OnStep& on_step) const;
};

Renderer::Renderer(const weights::Bundle& bundle, Options options, const OnProgress& on_progress) {
  bundle.require_complete();
  check_tiles(options.tiles);
  // Order of size, so that the bar of a large bundle moves: encoders and VAE first, transformers last.
  tell(on_progress, Phase::load, 0.0);
  auto prompts = std::make_unique<text_encoders::PromptEncoder>(bundle, options.placement);
  prompts->load();
  tell(on_progress, Phase::load, 0.3);
  auto vae = vae::CausalVae::open(bundle.folder("vae"), options.placement);
  tell(on_progress, Phase::load, 0.4);
  std::optional<dit::Transformer> image;
  if (bundle.manifest().t2i) image.emplace(load_transformer(bundle, "transformer_t2i", options.placement));
  tell(on_progress, Phase::load, 0.5);
  dit::Transformer video = load_transformer(bundle, "transformer", options.placement);
  tell(on_progress, Phase::load, 1.0);
  models_ = std::unique_ptr<const Models>(new Models{.manifest = bundle.manifest(),
                                                     .options = std::move(options),
                                                     .prompts = std::move(prompts),
                                                     .video = std::move(video),
                                                     .image = std::move(image),
                                                     .vae = std::move(vae)});
}

Renderer::~Renderer() = default;

const weights::BundleManifest& Renderer::manifest() const {
  return models_->manifest;
}
const Renderer::Options& Renderer::options() const {
  return models_->options;
}

std::vector<std::int64_t> Renderer::latent_shape(int width, int height, std::int64_t num_latents) const {
  const int scale = models_->manifest.vae_scale_spatial;
  return {1, models_->manifest.latent_channels, num_latents, height / scale, width / scale};
}

void Renderer::check_prompt(const std::string& prompt) const {
  const bool animates = models_->manifest.needs_image();
  try {
    models_->prompts->count_tokens(prompt, animates ? text_encoders::Branch::i2v : text_encoders::Branch::t2v);
    if (models_->image) models_->prompts->count_tokens(prompt, text_encoders::Branch::t2i);
  } catch (const text_encoders::PromptError& error) {
    throw RequestError(error.what());
  }
}

dit::TextCondition Renderer::Models::encode(const std::string& prompt, const video::Image* seen,
                                            text_encoders::Branch branch) const {
  const std::lock_guard lock(*encoding);
  try {
    const text_encoders::PromptEmbedding embedding = prompts->encode(prompt, seen, branch);
    return {embedding.states, embedding.pooled};
  } catch (const text_encoders::PromptError& error) {
    throw RequestError(error.what());
  }
}

at::Tensor Renderer::Models::sample(const dit::Transformer& transformer, const dit::TextCondition& text,
                                    const WindowRequest& request, const std::optional<dit::LatentCondition>& condition,
                                    const StepState& start, bool uses_guidance, const OnProgress& on_progress,
                                    const OnStep& on_step) const {
  const schedulers::FlowMatchSchedule schedule = schedulers::flow_match_schedule(request.steps, request.shift);
  const auto guidance = uses_guidance ? std::optional(static_cast<float>(request.guidance)) : std::nullopt;
  const dit::Prepared prepared = transformer.prepare(text, schedule.timesteps, guidance);
  const at::Tensor& latents = start.latents;
  const dit::TokenLayout layout = transformer.layout(latents.size(2), latents.size(3), latents.size(4));
  const int steps = schedule.steps();
  tell(on_progress, Phase::step, static_cast<double>(start.steps_done) / steps, start.steps_done, steps);
  const auto velocity = [&](const at::Tensor& input, int step) {
    return transformer.forward(input, layout, prepared, step, [&](int done, int total) {
      tell(on_progress, Phase::step, (step + static_cast<double>(done) / total) / steps, step, steps);
    });
  };
  const auto stepped = [&](int step, const at::Tensor& reached) {
    if (on_step) on_step({step + 1, reached});
    tell(on_progress, Phase::step, (step + 1.0) / steps, step + 1, steps);
  };
  return dit::denoise(velocity, transformer.config(), schedule, start.latents.to(transformer.device()), condition,
                      start.steps_done, stepped);
}

at::Tensor Renderer::first_frame(const std::string& prompt, int width, int height, std::uint64_t seed,
                                 const OnProgress& on_progress) const {
  const Models& models = *models_;
  if (!models.image) {
    throw RequestError("the bundle '" + models.manifest.name +
                       "' has no text-to-image transformer (transformer_t2i/): give an image");
  }
  const c10::NoGradGuard no_gradients;
  const weights::T2iSettings& t2i = *models.manifest.t2i;
  tell(on_progress, Phase::encode, 0.0);
  const dit::TextCondition text = models.encode(prompt, nullptr, text_encoders::Branch::t2i);
  WindowRequest request;
  request.steps = t2i.sampling.steps;
  request.shift = t2i.sampling.shift;
  request.guidance = t2i.sampling.guidance;
  const int scale = models.manifest.vae_scale_spatial;
  const at::Tensor noise =
      dit::noise_latents(seed, models.manifest.latent_channels, 0, 1, height / scale, width / scale);
  const at::Tensor latents =
      models.sample(*models.image, text, request, std::nullopt, {0, noise}, t2i.uses_guidance, on_progress, {});
  at::Tensor frame;
  decode(
      latents, {}, [&frame](const DecodedFrames& frames) { frame = frames.rgb8[0].clone(); }, on_progress);
  return frame;
}

at::Tensor Renderer::denoise(const WindowRequest& request, const OnProgress& on_progress, const OnStep& on_step) const {
  const Models& models = *models_;
  const weights::BundleManifest& manifest = models.manifest;
  const c10::NoGradGuard no_gradients;
  const bool needs_frames = manifest.needs_image();
  if (needs_frames != request.condition.defined()) {
    throw RequestError(needs_frames
                           ? "the bundle '" + manifest.name + "' animates an image, and the window has none"
                           : "the bundle '" + manifest.name + "' makes video from text alone and takes no image");
  }
  if (request.resume && request.resume->steps_done == request.steps) return request.resume->latents;
  tell(on_progress, Phase::encode, 0.0);
  std::optional<video::Image> seen = request.image;
  if (needs_frames && !seen) seen = to_image(request.condition);
  const auto branch = needs_frames ? text_encoders::Branch::i2v : text_encoders::Branch::t2v;
  const dit::TextCondition text = models.encode(request.prompt, seen ? &*seen : nullptr, branch);
  tell(on_progress, Phase::encode, 0.5);

  const int scale = manifest.vae_scale_spatial;
  at::Tensor noise = request.initial_latents;
  if (!noise.defined()) {
    noise = dit::noise_latents(request.seed, manifest.latent_channels, 0, request.num_latents, request.height / scale,
                               request.width / scale);
  }
  std::optional<dit::LatentCondition> condition;
  if (needs_frames) {
    const at::Tensor pixels = vae::frames_to_sample(request.condition.to(models.options.placement.device));
    const at::Tensor given = models.vae->encode(pixels, models.options.tiles, [&](std::size_t done, std::size_t total) {
      tell(on_progress, Phase::encode, 0.5 + 0.5 * static_cast<double>(done) / static_cast<double>(total));
    });
    noise = dit::steady_noise(noise.to(given.device()), given.narrow(2, 0, 1));
    condition = dit::LatentCondition::prefix(given, request.num_latents);
  }
  tell(on_progress, Phase::encode, 1.0);
  return models.sample(models.video, text, request, condition, request.resume.value_or(StepState{0, noise}),
                       manifest.uses_guidance, on_progress, on_step);
}

void Renderer::decode(const at::Tensor& latents, const DecodeRequest& request,
                      const std::function<void(DecodedFrames)>& on_frames, const OnProgress& on_progress) const {
  const c10::NoGradGuard no_gradients;
  vae::DecodeOptions options;
  options.plan = models_->options.tiles;
  options.with_float = request.with_float;
  options.have = request.have;
  if (request.tail_frames > 0) {
    options.order = vae::DecodeOrder::last_first;
    options.tail_frames = request.tail_frames;
  }
  options.on_progress = [&](std::size_t done, std::size_t total) {
    tell(on_progress, Phase::decode, static_cast<double>(done) / static_cast<double>(total));
  };
  models_->vae->decode(latents.to(models_->options.placement.device), options, [&](const vae::FrameChunk& chunk) {
    on_frames({chunk.first_frame, chunk.rgb8.cpu(), chunk.rgb.defined() ? chunk.rgb.cpu() : at::Tensor()});
  });
}

at::Tensor to_frames(const video::Image& image) {
  at::Tensor frames = at::empty({1, image.height, image.width, video::Image::kChannels}, at::kByte);
  std::memcpy(frames.data_ptr(), image.rgb.data(), image.rgb.size());
  return frames;
}

video::Image to_image(const at::Tensor& frames, std::int64_t index) {
  const at::Tensor frame = frames[index].contiguous();
  video::Image image(static_cast<int>(frame.size(1)), static_cast<int>(frame.size(0)));
  std::memcpy(image.rgb.data(), frame.data_ptr(), image.rgb.size());
  return image;
}

}  // namespace reelfarm::render
