#pragma once

#include <functional>
#include <optional>

#include <ATen/core/Tensor.h>

#include "pipeline/dit/transformer.hpp"
#include "pipeline/schedulers/flow_match.hpp"

namespace reelfarm::dit {

/// Latent frames that are given rather than generated.
struct LatentCondition {
  at::Tensor latents;  // (1, out_channels, L, h, w) fp32, zero where nothing is given
  at::Tensor mask;     // (1, 1, L, h, w) fp32, one where something is

  /// The first c latent frames of L are given. frames: (1, out_channels, c, h, w), 1 <= c <= L.
  static LatentCondition prefix(const at::Tensor& frames, std::int64_t num_frames);
};

/// The velocity of a step. input: (1, in_channels, L, h, w) fp32 -> (1, out_channels, L, h, w) in any float type.
/// Collective when it spans ranks; every rank then gives and gets the whole clip.
using VelocityModel = std::function<at::Tensor(const at::Tensor& input, int step)>;

/// Called after each step with its index and the latents (1, out_channels, L, h, w) fp32: the state to resume from at
/// step + 1. The tensor is not written again. May throw to stop.
using StepCallback = std::function<void(int step, const at::Tensor& latents)>;

/// Runs the sampler's steps first_step, first_step + 1, ... and returns the final latents, fp32.
///
/// latents: (1, out_channels, L, h, w) fp32: noise for first_step 0, else what on_step gave after first_step - 1, and
/// the result is then the same bits. Euler in fp32 whatever the model's type. latent_concat feeds [latents | condition
/// | mask]; token_replace overwrites latent frame 0 with the condition's at each step and integrates only the others,
/// as diffusers' pipelines do. Throws std::invalid_argument for shapes that do not fit, a condition that the config
/// cannot take or lacks, and a first_step outside [0, steps].
at::Tensor denoise(const VelocityModel& model, const DitConfig& config, const schedulers::FlowMatchSchedule& schedule,
                   at::Tensor latents, const std::optional<LatentCondition>& condition, int first_step = 0,
                   const StepCallback& on_step = {});

/// Mixes a thousandth of the condition's first latent frame into the noise of every frame, as diffusers' image-to-video
/// pipelines do to steady the image. noise: (1, C, L, h, w), first_frame: (1, C, 1, h, w), both fp32.
at::Tensor steady_noise(const at::Tensor& noise, const at::Tensor& first_frame);

}  // namespace reelfarm::dit
