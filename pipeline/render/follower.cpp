#include "pipeline/render/follower.hpp"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <future>
#include <optional>
#include <utility>

#include "parallel/all_or_none.hpp"
#include "parallel/orders.hpp"
#include "pipeline/nn/side_stream.hpp"
#include "pipeline/vae/shared_decode.hpp"
#include "pipeline/vae/shared_encode.hpp"

namespace reelfarm::render {
namespace {

Networks load_with_peers(const weights::Bundle& bundle, const nn::Placement& placement, const RankGroups& groups,
                         const Residency& residency) {
  std::optional<Networks> networks;
  parallel::all_or_none(*groups.denoise, [&] { networks.emplace(Networks::load(bundle, placement, residency)); });
  return std::move(*networks);
}

}  // namespace

Follower::Follower(const weights::Bundle& bundle, const nn::Placement& placement, const RankGroups& groups,
                   const Residency& residency)
    : groups_(groups),
      networks_(load_with_peers(bundle, placement, groups, residency)),
      transformers_(shared_transformers(networks_, groups)) {}

void Follower::run() const {
  const auto follow = [this](const auto& act) {
    const c10::NoGradGuard no_gradients;
    parallel::or_abort(*groups_.decode, [&] { parallel::or_abort(*groups_.denoise, act); });
  };
  // LibTorch keeps the number of threads per calling thread.
  const int threads = at::get_num_threads();
  const nn::SideStream side(networks_.vae->placement().device);
  std::future<void> decoding = std::async(std::launch::async, [&] {
    at::set_num_threads(threads);
    const nn::SideStream::Use beside_denoising(side);
    follow([this] { vae::follow_decodes(*networks_.vae, *groups_.decode); });
  });
  follow([this] {
    dit::follow_forwards(transformers_, *groups_.denoise,
                         [this] { vae::encode_together(*networks_.vae, *groups_.denoise, {}, {}); });
  });
  decoding.get();
}

}  // namespace reelfarm::render
