#include "pipeline/render/renderer.hpp"

#include <c10/core/GradMode.h>

#include <cstring>
#include <exception>
#include <filesystem>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>

#include "parallel/all_or_none.hpp"
#include "pipeline/dit/denoiser.hpp"
#include "pipeline/dit/noise.hpp"
#include "pipeline/dit/shared_forward.hpp"
#include "pipeline/nn/side_stream.hpp"
#include "pipeline/render/frame_delivery.hpp"
#include "pipeline/render/memory_choice.hpp"
#include "pipeline/render/networks.hpp"
#include "pipeline/render/turns.hpp"
#include "pipeline/schedulers/flow_match.hpp"
#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/text_encoders/prompt_encoder.hpp"
#include "pipeline/vae/frames.hpp"
#include "pipeline/vae/shared_decode.hpp"
#include "pipeline/vae/shared_encode.hpp"
#include "pipeline/vae/tile_plan.hpp"

namespace reelfarm::render {
namespace {

void tell(const OnProgress& on_progress, Phase phase, double fraction, int step = 0, int steps = 0) {
  if (on_progress) on_progress({phase, step, steps, fraction});
}

}  // namespace

struct Renderer::Models {
  std::filesystem::path bundle;
  weights::BundleManifest manifest;
  Options options;
  // Encoding a prompt is for one thread at a time, and const for everybody else.
  std::unique_ptr<text_encoders::PromptEncoder> prompts;
  std::unique_ptr<std::mutex> encoding = std::make_unique<std::mutex>();
  Networks networks;
  // Of a group of several ranks.
  std::string way_of_heads = {};
  std::unique_ptr<const dit::ForwardLeader> forwards = {};
  std::unique_ptr<const vae::DecodeLeader> decodes = {};
  nn::SideStream decoding{options.placement.device};
  /// Where decoding and denoising do not fit beside each other.
  std::unique_ptr<Turns> turns = options.residency.decode_beside ? nullptr : std::make_unique<Turns>();

  /// While it lives, nothing else of this renderer works on the device, if that is how it is to be.
  std::unique_ptr<Turns::Turn> turn() const { return turns ? std::make_unique<Turns::Turn>(*turns) : nullptr; }
  dit::TextCondition encode(const std::string& prompt, const video::Image* seen, text_encoders::Branch branch) const;
  at::Tensor encode(const at::Tensor& pixels, const vae::OnProgress& on_progress) const;
  dit::VelocityModel velocity(std::size_t transformer, const at::Tensor& latents, const dit::Prepared& prepared,
                              dit::ForwardCallback on_block) const;
  at::Tensor sample(std::size_t transformer, const dit::TextCondition& text, const WindowRequest& request,
                    const std::optional<dit::LatentCondition>& condition, const StepState& start, bool uses_guidance,
                    const OnProgress& on_progress, const OnStep& on_step) const;
  /// The latents, unless they are no numbers after so many steps.
  at::Tensor finite(at::Tensor latents, int steps) const;
  vae::DecodeOptions decode_options(const DecodeRequest& request, const OnProgress& on_progress) const;
};

Renderer::Renderer(const weights::Bundle& bundle, Options options, const OnProgress& on_progress) {
  const auto load = [&] {
    bundle.require_complete();
    require_tiles(options.tiles);
    tell(on_progress, Phase::load, 0.0);
    const nn::Placement encoders =
        Residency::placed(options.placement, options.residency.encoders ? nn::kAllLayers : 0);
    auto prompts = std::make_unique<text_encoders::PromptEncoder>(bundle, encoders);
    prompts->load();
    constexpr double kPrompts = 0.3;
    tell(on_progress, Phase::load, kPrompts);
    Networks networks = Networks::load(bundle, options.placement, options.residency, [&](double part) {
      tell(on_progress, Phase::load, kPrompts + (1 - kPrompts) * part);
    });
    models_ = std::make_unique<Models>(Models{.bundle = bundle.path(),
                                              .manifest = bundle.manifest(),
                                              .options = options,
                                              .prompts = std::move(prompts),
                                              .networks = std::move(networks)});
  };
  if (options.ranks == nullptr) {
    load();
    return;
  }
  const RankGroups& ranks = *options.ranks;
  parallel::all_or_none(*ranks.denoise, load);
  std::vector<dit::SharedTransformer> transformers = shared_transformers(models_->networks, ranks);
  models_->way_of_heads = render::way_of_heads(transformers.front().mesh, options.placement.device);
  models_->forwards = std::make_unique<dit::ForwardLeader>(std::move(transformers), *ranks.denoise);
  models_->decodes = std::make_unique<vae::DecodeLeader>(*models_->networks.vae, *ranks.decode);
}

Renderer::~Renderer() = default;

const weights::BundleManifest& Renderer::manifest() const {
  return models_->manifest;
}
const Renderer::Options& Renderer::options() const {
  return models_->options;
}
const std::string& Renderer::way_of_heads() const {
  return models_->way_of_heads;
}

std::vector<std::int64_t> Renderer::latent_shape(int width, int height, std::int64_t num_latents) const {
  const int scale = models_->manifest.vae_scale_spatial;
  return {1, models_->manifest.latent_channels, num_latents, height / scale, width / scale};
}

std::size_t Renderer::decode_tiles(int width, int height, std::int64_t num_latents) const {
  const std::vector<std::int64_t> shape = latent_shape(width, height, num_latents);
  return vae::decode_plan(models_->networks.vae->config(), models_->options.tiles, shape[2], shape[3], shape[4])
      .tiles();
}

void Renderer::check_prompt(const std::string& prompt) const {
  const bool animates = models_->manifest.needs_image();
  try {
    models_->prompts->count_tokens(prompt, animates ? text_encoders::Branch::i2v : text_encoders::Branch::t2v);
    if (models_->networks.image) models_->prompts->count_tokens(prompt, text_encoders::Branch::t2i);
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

/// By all ranks where there is more than one tile.
at::Tensor Renderer::Models::encode(const at::Tensor& pixels, const vae::OnProgress& on_progress) const {
  const vae::CausalVae& vae = *networks.vae;
  if (!forwards || vae.plan_encode(pixels, options.tiles).tiles() == 1) {
    return vae.encode(pixels, options.tiles, on_progress);
  }
  at::Tensor latents;
  std::exception_ptr thrown;
  forwards->aside([&] {
    latents = vae::encode_together(vae, *options.ranks->denoise, pixels, options.tiles,
                                   [&](std::size_t done, std::size_t total) {
                                     if (thrown) return;
                                     try {
                                       on_progress(done, total);
                                     } catch (...) {
                                       thrown = std::current_exception();
                                     }
                                   });
  });
  if (thrown) std::rethrow_exception(thrown);
  return latents;
}

dit::VelocityModel Renderer::Models::velocity(std::size_t transformer, const at::Tensor& latents,
                                              const dit::Prepared& prepared, dit::ForwardCallback on_block) const {
  if (forwards) {
    return forwards->clip(transformer, latents.size(2), latents.size(3), latents.size(4), prepared,
                          std::move(on_block));
  }
  const dit::Transformer& alone = networks.at(transformer);
  return [&alone, layout = alone.layout(latents.size(2), latents.size(3), latents.size(4)), prepared,
          on_block = std::move(on_block)](const at::Tensor& input, int step) {
    return alone.forward(input, layout, prepared, step, [&](int done, int total) { on_block(step, done, total); });
  };
}

at::Tensor Renderer::Models::sample(std::size_t transformer, const dit::TextCondition& text,
                                    const WindowRequest& request, const std::optional<dit::LatentCondition>& condition,
                                    const StepState& start, bool uses_guidance, const OnProgress& on_progress,
                                    const OnStep& on_step) const {
  const dit::Transformer& model = networks.at(transformer);
  const schedulers::FlowMatchSchedule schedule = schedulers::flow_match_schedule(request.steps, request.shift);
  const auto guidance = uses_guidance ? std::optional(static_cast<float>(request.guidance)) : std::nullopt;
  const dit::Prepared prepared = model.prepare(text, schedule.timesteps, guidance);
  const int steps = schedule.steps();
  tell(on_progress, Phase::step, static_cast<double>(start.steps_done) / steps, start.steps_done, steps);
  const auto on_block = [&](int step, int done, int total) {
    tell(on_progress, Phase::step, (step + static_cast<double>(done) / total) / steps, step, steps);
  };
  const auto stepped = [&](int step, const at::Tensor& reached) {
    if (on_step) on_step({step + 1, reached});
    tell(on_progress, Phase::step, (step + 1.0) / steps, step + 1, steps);
  };
  return dit::denoise(velocity(transformer, start.latents, prepared, on_block), model.config(), schedule,
                      start.latents.to(model.device()), condition, start.steps_done, stepped);
}

at::Tensor Renderer::Models::finite(at::Tensor latents, int steps) const {
  if (latents.isfinite().all().item<bool>()) return latents;
  throw std::runtime_error("the latents hold NaN or infinity after " + std::to_string(steps) +
                           " steps: `reelfarm bundle verify " + bundle.string() +
                           "` names the tensor if a file is damaged; if none is, --dtype fp32 may help");
}

at::Tensor Renderer::first_frame(const std::string& prompt, int width, int height, std::uint64_t seed,
                                 const OnProgress& on_progress) const {
  const Models& models = *models_;
  if (!models.networks.image) {
    throw RequestError("the bundle '" + models.manifest.name +
                       "' has no text-to-image transformer (transformer_t2i/): give an image");
  }
  const c10::NoGradGuard no_gradients;
  const auto turn = models.turn();
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
      models.sample(kImageTransformer, text, request, std::nullopt, {0, noise}, t2i.uses_guidance, on_progress, {});
  // One latent frame, and the other ranks may be in the middle of a window's decode: not worth sharing.
  at::Tensor frame;
  models.networks.vae->decode(latents, models.decode_options({}, on_progress),
                              [&frame](const vae::FrameChunk& chunk) { frame = chunk.rgb8[0].cpu().clone(); });
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
  if (request.resume && request.resume->steps_done == request.steps) {
    return models.finite(request.resume->latents, request.steps);
  }
  const auto turn = models.turn();
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
    const at::Tensor given = models.encode(pixels, [&](std::size_t done, std::size_t total) {
      tell(on_progress, Phase::encode, 0.5 + 0.5 * static_cast<double>(done) / static_cast<double>(total));
    });
    noise = dit::steady_noise(noise.to(given.device()), given.narrow(2, 0, 1));
    condition = dit::LatentCondition::prefix(given, request.num_latents);
  }
  tell(on_progress, Phase::encode, 1.0);
  return models.finite(
      models.sample(kVideoTransformer, text, request, condition, request.resume.value_or(StepState{0, noise}),
                    manifest.uses_guidance, on_progress, on_step),
      request.steps);
}

vae::DecodeOptions Renderer::Models::decode_options(const DecodeRequest& request, const OnProgress& on_progress) const {
  vae::DecodeOptions decode;
  decode.plan = options.tiles;
  decode.with_float = request.with_float;
  decode.have = request.have;
  // On a CPU a tile takes so long that a leader without one would be silent for longer than its agent waits.
  if (options.placement.device.is_cuda()) decode.leader = vae::LeadersShare::least;
  if (request.tail_frames > 0) {
    decode.order = vae::DecodeOrder::last_first;
    decode.tail_frames = request.tail_frames;
  }
  decode.on_progress = [&on_progress](std::size_t done, std::size_t total) {
    tell(on_progress, Phase::decode, static_cast<double>(done) / static_cast<double>(total));
  };
  return decode;
}

void Renderer::decode(const at::Tensor& latents, const DecodeRequest& request,
                      const std::function<void(DecodedFrames)>& on_frames, const OnProgress& on_progress) const {
  const c10::NoGradGuard no_gradients;
  const auto turn = models_->turn();
  const nn::SideStream::Use beside_denoising(models_->decoding);
  const vae::DecodeOptions options = models_->decode_options(request, on_progress);
  const at::Tensor given = latents.to(models_->options.placement.device);
  FrameDelivery delivery(on_frames);
  const auto on_chunk = [&](const vae::FrameChunk& chunk) { delivery.put(chunk); };
  if (models_->decodes) {
    models_->decodes->decode(given, options, on_chunk);
  } else {
    models_->networks.vae->decode(given, options, on_chunk);
  }
  delivery.finish();
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
