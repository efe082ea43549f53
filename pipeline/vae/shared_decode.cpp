#include "pipeline/vae/shared_decode.hpp"

#include <array>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include "parallel/orders.hpp"
#include "pipeline/vae/decode_share.hpp"
#include "pipeline/vae/frames.hpp"

namespace reelfarm::vae {
namespace {

using parallel::kLeader;

constexpr const char* kWaiting = "waiting for a decode";

enum class Order : std::int64_t { go_home, decode };

/// Collective: what the leader knows reaches all.
DecodeJob broadcast_job(const CausalVae& vae, parallel::ProcessGroup& group, const DecodeJob& of_leader) {
  DecodeJob job;
  const std::string name = group.broadcast_text(of_leader.plan.name, kLeader);
  std::array settings{std::byte{of_leader.with_float}, static_cast<std::byte>(of_leader.leader)};
  group.broadcast(std::span(settings), kLeader);
  job.with_float = settings[0] != std::byte{0};
  job.leader = static_cast<LeadersShare>(settings[1]);
  const at::Tensor latents = of_leader.latents.defined() ? of_leader.latents.to(at::kFloat) : at::Tensor();
  job.latents = group.broadcast_tensor(latents, kLeader, vae.placement().device);
  std::vector<std::int64_t> order(of_leader.order.begin(), of_leader.order.end());
  const at::Tensor indices =
      group.broadcast_tensor(group.rank() == kLeader ? at::tensor(order, at::kLong) : at::Tensor(), kLeader, c10::kCPU);
  for (std::int64_t i = 0; i < indices.numel(); ++i) {
    job.order.push_back(static_cast<std::size_t>(indices[i].item<std::int64_t>()));
  }
  job.plan = decode_plan(vae.config(), name, job.latents.size(2), job.latents.size(3), job.latents.size(4));
  return job;
}

}  // namespace

DecodeLeader::~DecodeLeader() {
  parallel::broadcast_last_order(group_, Order::go_home, kWaiting);
}

void DecodeLeader::decode(const at::Tensor& latents, const DecodeOptions& options,
                          const std::function<void(FrameChunk)>& on_frames) const {
  vae_.require_latents(latents);
  DecodeJob job;
  job.latents = latents;
  job.plan = decode_plan(vae_.config(), options.plan, latents.size(2), latents.size(3), latents.size(4));
  job.with_float = options.with_float;
  job.leader = options.leader;
  job.order = needed_tiles(job.plan, options.order, options.tail_frames, options.have);
  parallel::broadcast_order(group_, Order::decode, kWaiting);
  const std::exception_ptr of_caller =
      parallel::or_abort(group_, [&] { return lead(broadcast_job(vae_, group_, job), options, on_frames); });
  if (of_caller) std::rethrow_exception(of_caller);
}

std::exception_ptr DecodeLeader::lead(const DecodeJob& job, const DecodeOptions& options,
                                      const std::function<void(FrameChunk)>& on_frames) const {
  DecodeShare share(vae_, group_, job);
  // Others wait for this rank: what the caller throws must not cut an exchange short.
  std::exception_ptr thrown;
  const auto guarded = [&thrown](const auto& act) {
    if (thrown) return;
    try {
      act();
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  const auto on_progress = [&](std::size_t done, std::size_t total) {
    guarded([&] {
      if (options.on_progress) options.on_progress(done, total);
    });
  };
  const auto on_piece = [&](const DecodedPiece& piece) {
    guarded([&] {
      if (!piece.finite) vae_.throw_not_finite(piece.first_frame);
      for_lacking(options.have, piece.first_frame, piece.frames.size(0), [&](std::int64_t first, std::int64_t count) {
        const at::Tensor frames = piece.frames.narrow(0, first - piece.first_frame, count);
        on_frames(options.with_float ? FrameChunk{first, quantise_frames(frames), frames}
                                     : FrameChunk{first, frames, {}});
      });
    });
  };
  share.run(on_progress, on_piece, thrown);
  return thrown;
}

void follow_decodes(const CausalVae& vae, parallel::ProcessGroup& group) {
  while (parallel::broadcast_order(group, Order::go_home, kWaiting) == Order::decode) {
    const DecodeJob job = broadcast_job(vae, group, {});
    DecodeShare(vae, group, job).run({}, {}, nullptr);
  }
}

}  // namespace reelfarm::vae
