#include "pipeline/dit/shared_forward.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "pipeline/dit/sharded_forward.hpp"

namespace reelfarm::dit {
namespace {

constexpr int kLeader = 0;

struct Order {
  enum class Kind : std::int64_t { go_home, clip, forward };
  Kind kind = Kind::go_home;
  // Of a clip.
  std::int64_t transformer = 0;
  std::int64_t frames = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  // Of a forward.
  std::int64_t step = 0;
};

Order broadcast_order(parallel::ProcessGroup& group, Order order) {
  const parallel::WaitForOrder wait(group);
  group.set_step("waiting for a forward");
  group.broadcast(std::as_writable_bytes(std::span(&order, 1)), kLeader);
  return order;
}

/// Others wait for this rank: what it throws in its own work must end them too.
template <typename Act>
auto or_abort(parallel::ProcessGroup& group, const Act& act) {
  try {
    return act();
  } catch (const std::exception& error) {
    group.abort(error.what());
    throw;
  }
}

}  // namespace

ForwardLeader::ForwardLeader(std::vector<SharedTransformer> transformers, parallel::ProcessGroup& group)
    : transformers_(std::move(transformers)), group_(group) {}

ForwardLeader::~ForwardLeader() {
  try {
    broadcast_order(group_, {});
  } catch (const std::exception&) {
    // Whoever is lost needs not be let go.
  }
}

VelocityModel ForwardLeader::clip(std::size_t transformer, std::int64_t frames, std::int64_t height, std::int64_t width,
                                  const Prepared& prepared, ForwardCallback on_block) const {
  const SharedTransformer& shared = transformers_.at(transformer);
  const auto forward =
      std::make_shared<const ShardedForward>(shared.transformer, group_, shared.mesh, frames, height, width);
  broadcast_order(group_, {Order::Kind::clip, static_cast<std::int64_t>(transformer), frames, height, width});
  Prepared everywhere =
      or_abort(group_, [&] { return broadcast_prepared(group_, kLeader, prepared, shared.transformer); });
  return [this, &shared, forward, everywhere = std::move(everywhere), on_block = std::move(on_block)](
             const at::Tensor& input, int step) {
    std::exception_ptr thrown;
    const auto guarded = [&](int done, int total) {
      if (thrown || !on_block) return;
      try {
        on_block(step, done, total);
      } catch (...) {
        thrown = std::current_exception();
      }
    };
    broadcast_order(group_, {.kind = Order::Kind::forward, .step = step});
    at::Tensor velocity = or_abort(group_, [&] {
      const at::Tensor same = group_.broadcast_tensor(input, kLeader, shared.transformer.device());
      return (*forward)(same, everywhere, step, guarded);
    });
    if (thrown) std::rethrow_exception(thrown);
    return velocity;
  };
}

void follow_forwards(const std::vector<SharedTransformer>& transformers, parallel::ProcessGroup& group) {
  std::optional<ShardedForward> forward;
  Prepared prepared;
  c10::Device device = c10::kCPU;
  for (;;) {
    const Order order = broadcast_order(group, {});
    switch (order.kind) {
      case Order::Kind::go_home:
        return;
      case Order::Kind::clip: {
        const SharedTransformer& shared = transformers.at(static_cast<std::size_t>(order.transformer));
        prepared = broadcast_prepared(group, kLeader, {}, shared.transformer);
        device = shared.transformer.device();
        forward.emplace(shared.transformer, group, shared.mesh, order.frames, order.height, order.width);
        break;
      }
      case Order::Kind::forward: {
        const at::Tensor input = group.broadcast_tensor({}, kLeader, device);
        forward.value()(input, prepared, static_cast<int>(order.step));
        break;
      }
    }
  }
}

}  // namespace reelfarm::dit
