// An encode by several ranks has the bits of an encode by one.
#include "pipeline/vae/shared_encode.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "parallel/thread_group.hpp"
#include "tests/vae/reference_case.hpp"

namespace reelfarm::vae {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class SharedEncode : public ::testing::TestWithParam<int> {
 protected:
  static const CausalVae& vae() {
    static const std::unique_ptr<CausalVae> value = ReferenceCase("odd_multiples").open({at::kCPU, at::kFloat});
    return *value;
  }
  static at::Tensor random_video(std::int64_t frames, std::int64_t height, std::int64_t width) {
    at::Generator generator = at::detail::createCPUGenerator(4);
    return at::randn({1, 3, frames, height, width}, generator, at::kFloat);
  }
};

TEST_P(SharedEncode, GivesTheLatentsOfOneRankForEveryPlan) {
  const std::int64_t scale = vae().config().spatial_compression_ratio;
  // A long tail; an image of several tiles of space where the plan has them.
  const std::vector<at::Tensor> videos{random_video(49, 2 * scale, 3 * scale),
                                       random_video(1, 256 + 2 * scale, 192 + 5 * scale)};
  for (const std::string_view plan : tile_plan_names()) {
    for (const at::Tensor& video : videos) {
      const at::Tensor expected = vae().encode(video, plan);
      parallel::run_thread_ranks(GetParam(), [&](parallel::ProcessGroup& group) {
        if (group.rank() != 0) {
          EXPECT_FALSE(encode_together(vae(), group, {}, {}).defined());
          return;
        }
        std::size_t blocks = 0;
        std::size_t wanted = 0;
        const at::Tensor found = encode_together(vae(), group, video, plan, [&](std::size_t done, std::size_t total) {
          EXPECT_EQ(done, ++blocks);
          wanted = total;
        });
        EXPECT_TRUE(at::equal(found, expected)) << plan << ", " << video.sizes();
        EXPECT_EQ(blocks, wanted);
      });
    }
  }
}

TEST_P(SharedEncode, AWrongSizeIsTheErrorOfOneRankOnAll) {
  parallel::run_thread_ranks(GetParam(), [&](parallel::ProcessGroup& group) {
    const at::Tensor video = group.rank() == 0 ? random_video(6, 32, 32) : at::Tensor();
    EXPECT_THAT([&] { encode_together(vae(), group, video, "diffusers"); }, ThrowsMessage<VaeError>(HasSubstr("6")));
  });
}

INSTANTIATE_TEST_SUITE_P(Ranks, SharedEncode, ::testing::Values(1, 2, 3, 5));

}  // namespace
}  // namespace reelfarm::vae
