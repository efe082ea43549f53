#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/render/renderer.hpp"
#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {

/// What a window has reached, on the disk until the window is published: the latents after its last finished denoise
/// step, then decoded frames. Who leases the window again goes on from there.
///
/// The folder's name is a hash of all that decides the bits (the task's artifact key, what it starts from, the group's
/// fingerprint), so what is found fits, whoever wrote it, and two writers write the same.
class KeptWork {
 public:
  /// DATA/<folder of the order>/.steps/<hash>/
  KeptWork(const std::filesystem::path& data, const TaskOrder& order, const std::string& fingerprint);

  /// Durable on return; replaces the latents of the step before. Their metadata names the task, for who wants to see
  /// them (cli/image/latent_preview.hpp). Throws weights::WeightError (full disk).
  void save(const render::StepState& state) const;
  /// Nothing when there are none. `shape`: of the window's latents, (1, C, L, h, w). Throws weights::WeightError when
  /// the file is damaged or of another shape.
  std::optional<render::StepState> load_steps(at::IntArrayRef shape) const;

  /// Durable on return. Throws weights::WeightError (full disk).
  void save(const render::DecodedFrames& frames) const;
  /// The pieces in order of their frames. Throws weights::WeightError as load_steps.
  std::vector<render::DecodedFrames> load_frames(int width, int height) const;

  /// Removes the folder, and what a killed writer left in it.
  void drop() const;

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::string task_;
};

}  // namespace reelfarm::worker
