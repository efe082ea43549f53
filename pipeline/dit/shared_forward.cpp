#include "pipeline/dit/shared_forward.hpp"

#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "parallel/orders.hpp"
#include "pipeline/dit/sharded_forward.hpp"

namespace reelfarm::dit {
namespace {

using parallel::kLeader;
using parallel::or_abort;

constexpr const char* kWaiting = "waiting for a forward";

struct Order {
  enum class Kind : std::int64_t { go_home, clip, forward, aside };
  Kind kind = Kind::go_home;
  // Of a clip.
  std::int64_t transformer = 0;
  std::int64_t frames = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  // Of a forward.
  std::int64_t step = 0;
};

}  // namespace

ForwardLeader::ForwardLeader(std::vector<SharedTransformer> transformers, parallel::ProcessGroup& group)
    : transformers_(std::move(transformers)), group_(group) {}

ForwardLeader::~ForwardLeader() {
  parallel::broadcast_last_order(group_, Order{}, kWaiting);
}

VelocityModel ForwardLeader::clip(std::size_t transformer, std::int64_t frames, std::int64_t height, std::int64_t width,
                                  const Prepared& prepared, ForwardCallback on_block) const {
  const SharedTransformer& shared = transformers_.at(transformer);
  const auto forward =
      std::make_shared<const ShardedForward>(shared.transformer, group_, shared.mesh, frames, height, width);
  parallel::broadcast_order(
      group_, Order{Order::Kind::clip, static_cast<std::int64_t>(transformer), frames, height, width}, kWaiting);
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
    parallel::broadcast_order(group_, Order{.kind = Order::Kind::forward, .step = step}, kWaiting);
    at::Tensor velocity = or_abort(group_, [&] {
      const at::Tensor same = group_.broadcast_tensor(input, kLeader, shared.transformer.device());
      at::Tensor result = (*forward)(same, everywhere, step, guarded);
      group_.settle();
      return result;
    });
    if (thrown) std::rethrow_exception(thrown);
    return velocity;
  };
}

void ForwardLeader::aside(const std::function<void()>& act) const {
  parallel::broadcast_order(group_, Order{.kind = Order::Kind::aside}, kWaiting);
  or_abort(group_, act);
}

void follow_forwards(const std::vector<SharedTransformer>& transformers, parallel::ProcessGroup& group,
                     const std::function<void()>& aside) {
  std::optional<ShardedForward> forward;
  Prepared prepared;
  c10::Device device = c10::kCPU;
  for (;;) {
    const Order order = parallel::broadcast_order(group, Order{}, kWaiting);
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
        group.settle();
        break;
      }
      case Order::Kind::aside:
        aside();
        break;
    }
  }
}

}  // namespace reelfarm::dit
