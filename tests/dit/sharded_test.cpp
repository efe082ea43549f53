// One clip over many ranks gives what one rank gives. Runs under mpirun; rank 0 also runs the same ranks as threads.
#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <functional>

#include "parallel/mpi_session.hpp"
#include "parallel/thread_group.hpp"
#include "pipeline/dit/sharded_forward.hpp"
#include "tests/dit/reference_case.hpp"

namespace reelfarm::dit::testing {
namespace {

using parallel::MeshShape;
using parallel::ProcessGroup;

constexpr double kTolerance = 1e-5;
constexpr int kStep = 2;

std::vector<MeshShape> meshes(int ranks, std::int64_t heads) {
  std::vector<MeshShape> all;
  for (int ulysses = 1; ulysses <= ranks; ++ulysses) {
    if (ranks % ulysses == 0 && heads % ulysses == 0) all.push_back({ulysses, ranks / ulysses});
  }
  return all;
}

class Sharded : public ::testing::TestWithParam<const char*> {
 protected:
  const std::unique_ptr<ProcessGroup> world_ = parallel::MpiSession::world();
  const ReferenceCase reference_{GetParam()};
  const Transformer transformer_ = reference_.transformer();
  const schedulers::FlowMatchSchedule schedule_ = schedulers::flow_match_schedule(4, 5.0);
  const Prepared prepared_ = transformer_.prepare(reference_.text(), schedule_.timesteps, reference_.guidance());
  const at::Tensor input_ = reference_.tensor("model_input");

  ShardedForward sharded(ProcessGroup& group, const parallel::Mesh& mesh) const {
    return {transformer_, group, mesh, input_.size(2), input_.size(3), input_.size(4)};
  }

  /// The result of work(group) on this rank, and that of every rank when the ranks are threads of rank 0 instead.
  std::vector<at::Tensor> as_threads(const std::function<at::Tensor(ProcessGroup&)>& work) const {
    std::vector<at::Tensor> results(static_cast<std::size_t>(world_->size()));
    parallel::run_thread_ranks(
        world_->size(), [&](ProcessGroup& group) { results[static_cast<std::size_t>(group.rank())] = work(group); });
    return results;
  }
};

TEST_P(Sharded, ForwardIsThatOfOneRankOnEveryMeshAndOnThreadsToTheBit) {
  for (const MeshShape& shape : meshes(world_->size(), transformer_.config().num_heads)) {
    const auto run = [&](ProcessGroup& group) {
      const parallel::Mesh mesh(group, shape);
      return sharded(group, mesh)(input_, prepared_, kStep);
    };
    const at::Tensor found = run(*world_);
    const at::Tensor of_rank_0 = world_->broadcast_tensor(found, 0, c10::kCPU);
    EXPECT_TRUE(at::equal(found, of_rank_0)) << "ranks disagree";
    if (world_->rank() != 0) continue;
    const TokenLayout layout = transformer_.layout(input_.size(2), input_.size(3), input_.size(4));
    const at::Tensor alone = transformer_.forward(input_, layout, prepared_, kStep);
    const double error = relative_error(found, alone);
    std::printf("%-18s mesh %s: error %.2e\n", GetParam(), to_string(shape).c_str(), error);
    EXPECT_LE(error, kTolerance);
    for (const at::Tensor& of_thread : as_threads(run)) EXPECT_TRUE(at::equal(of_thread, found)) << to_string(shape);
  }
}

TEST_P(Sharded, FourStepsAreThoseOfOneRank) {
  const MeshShape shape = parallel::choose_mesh(world_->size(), transformer_.config().num_heads, world_->size());
  const parallel::Mesh mesh(*world_, shape);
  const ShardedForward forward = sharded(*world_, mesh);
  // Only rank 0 prepares, as in a render; what it prepared must be all that others need.
  const Prepared shared = broadcast_prepared(*world_, 0, world_->rank() == 0 ? prepared_ : Prepared{}, transformer_);
  const VelocityModel spread = [&](const at::Tensor& input, int step) { return forward(input, shared, step); };
  const at::Tensor noise = reference_.tensor("noise");
  const at::Tensor found = denoise(spread, reference_.config(), schedule_, noise, reference_.condition());
  if (world_->rank() != 0) return;
  const TokenLayout layout = transformer_.layout(noise.size(2), noise.size(3), noise.size(4));
  const at::Tensor alone = denoise(velocity_of(transformer_, layout, prepared_), reference_.config(), schedule_, noise,
                                   reference_.condition());
  EXPECT_LE(relative_error(found, alone), kTolerance);
}

TEST_P(Sharded, InBf16FourStepsStayNearThoseOfOneRank) {
  const MeshShape shape{1, world_->size()};  // the mesh that merges most
  const parallel::Mesh mesh(*world_, shape);
  const Transformer narrow = reference_.transformer(at::kBFloat16);
  const Prepared prepared = narrow.prepare(reference_.text(), schedule_.timesteps, reference_.guidance());
  const at::Tensor noise = reference_.tensor("noise");
  const ShardedForward forward(narrow, *world_, mesh, noise.size(2), noise.size(3), noise.size(4));
  const VelocityModel spread = [&](const at::Tensor& input, int step) { return forward(input, prepared, step); };
  const at::Tensor found = denoise(spread, reference_.config(), schedule_, noise, reference_.condition());
  if (world_->rank() != 0) return;
  const TokenLayout layout = narrow.layout(noise.size(2), noise.size(3), noise.size(4));
  const at::Tensor alone =
      denoise(velocity_of(narrow, layout, prepared), reference_.config(), schedule_, noise, reference_.condition());
  EXPECT_LE(relative_error(found, alone), 2e-2);
  EXPECT_GE(at::cosine_similarity(found.flatten(), alone.flatten(), 0).item<double>(), 0.9995);
}

TEST_P(Sharded, LatentsOfAnotherSizeAreRefusedBeforeAnythingIsExchanged) {
  const parallel::Mesh mesh(*world_, {1, world_->size()});
  const ShardedForward forward = sharded(*world_, mesh);
  EXPECT_THAT([&] { forward(input_.narrow(2, 0, 1), prepared_, kStep); },
              ::testing::ThrowsMessage<std::invalid_argument>(::testing::HasSubstr("laid out were [1, ")));
}

INSTANTIATE_TEST_SUITE_P(Cases, Sharded,
                         ::testing::Values("t2v_split", "concat_split", "concat_four_split", "replace_split", "t2v",
                                           "concat_one_word"),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace reelfarm::dit::testing
