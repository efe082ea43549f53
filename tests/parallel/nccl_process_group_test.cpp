// The group over NCCL without a GPU: a scripted NCCL on host memory. tests/parallel/nccl_gpu_test.cpp has the real one.
#include "parallel/nccl_process_group.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <mutex>
#include <string>
#include <vector>

#include "parallel/errors.hpp"
#include "parallel/mesh.hpp"
#include "parallel/sequence_attention.hpp"
#include "parallel/thread_group.hpp"
#include "tests/parallel/group_checks.hpp"
#include "tests/parallel/scripted_nccl.hpp"

namespace reelfarm::parallel {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::NcclScript;
using testing::run_scripted_ranks;
using ::testing::ThrowsMessage;

/// Ranks, and whether their devices reach each other's memory.
class NcclGroup : public ::testing::TestWithParam<std::tuple<int, bool>> {
 protected:
  void run(const std::function<void(ProcessGroup& group)>& body) {
    const auto [ranks, peers] = GetParam();
    NcclScript script;
    if (!peers) script.no_peers = "peer access is not supported between these devices";
    run_scripted_ranks(
        ranks,
        [&](ProcessGroup& group) {
          body(group);
          group.settle();
          const std::string why = group.no_peer_writes(c10::kCPU);
          if (ranks == 1) return;
          EXPECT_EQ(why.empty(), peers) << why;
          EXPECT_EQ(why.find("peer access is not supported") == std::string::npos, peers) << why;
        },
        [&](int) { return script; });
  }
};

TEST_P(NcclGroup, DoesWhatEveryGroupDoes) {
  run([](ProcessGroup& group) { testing::check_every_promise(group); });
}

TEST_P(NcclGroup, AttendsWithTheBitsOfThreads) {
  const int ranks = std::get<0>(GetParam());
  const auto attend = [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    const at::Tensor scores = at::matmul(q.transpose(0, 1), k.permute({1, 2, 0}));
    return SoftmaxPart{at::matmul(at::softmax(scores, -1), v.transpose(0, 1)).transpose(0, 1),
                       at::logsumexp(scores, {-1}).transpose(0, 1)};
  };
  const TokenParts parts = TokenParts::of(6 * ranks - 1, ranks);
  std::vector<at::Tensor> results(static_cast<std::size_t>(ranks));
  const auto attend_over = [&](ProcessGroup& group) {
    const Mesh mesh(group, choose_mesh(ranks, 12, 4));
    at::Generator generator = at::detail::createCPUGenerator(static_cast<std::uint64_t>(group.rank()));
    const auto random = [&] { return at::randn({parts.per_rank + 5, 12, 8}, generator, at::kFloat); };
    const at::Tensor q = random();
    const at::Tensor k = random();
    const at::Tensor v = random();
    const SequenceAttention attention(mesh, attend);
    // The second call uses the memory of the first again.
    const at::Tensor first = attention(q, k, v, parts).clone();
    results[static_cast<std::size_t>(group.rank())] = at::stack({first, attention(v, q, k, parts)});
    group.settle();
  };
  run_thread_ranks(ranks, attend_over);
  const std::vector<at::Tensor> expected = results;
  run([&](ProcessGroup& group) { attend_over(group); });
  for (std::size_t rank = 0; rank < results.size(); ++rank) EXPECT_TRUE(at::equal(results[rank], expected[rank]));
}

INSTANTIATE_TEST_SUITE_P(Sizes, NcclGroup, ::testing::Combine(::testing::Values(1, 2, 3, 4, 8), ::testing::Bool()),
                         [](const auto& param) {
                           return std::to_string(std::get<0>(param.param)) +
                                  (std::get<1>(param.param) ? "_by_copy_engines" : "_over_nccl");
                         });

/// One operation that goes over NCCL, on data of its own; rank 2 of 3 has `extra` elements more.
struct Operation {
  const char* name;
  void (*run)(ProcessGroup& group, int extra);
};

void PrintTo(const Operation& operation, std::ostream* out) {
  *out << operation.name;
}

const Operation kOperations[] = {
    {"all_to_all",
     [](ProcessGroup& group, int extra) {
       group.all_to_all(at::zeros({3, 4 + extra}));
     }},
    {"all_gather", [](ProcessGroup& group, int extra) { group.all_gather(at::zeros({4 + extra})); }},
    {"broadcast_tensor", [](ProcessGroup& group, int) { group.broadcast_tensor(at::zeros({4}), 2, c10::kCPU); }},
    {"ring",
     [](ProcessGroup& group, int extra) {
       group
           .exchange({{at::zeros({4 + extra}), (group.rank() + 1) % 3}},
                     {{at::zeros({4 + extra}), (group.rank() + 2) % 3}}, "ring")
           ->wait();
     }},
};

/// By copy engines.
const Operation kSymmetric = {"symmetric", [](ProcessGroup& group, int extra) {
                                const int next = (group.rank() + 1) % 3;
                                const int previous = (group.rank() + 2) % 3;
                                const at::Tensor memory = group.symmetric_empty({3 * 8}, at::kFloat)[0].view({3, 8});
                                const auto part = [&](int from, int more) {
                                  return memory[from].narrow(0, 0, 4 + more);
                                };
                                group
                                    .exchange({{at::zeros({4 + extra}), next, part(group.rank(), extra)}},
                                              {{part(previous, 0), previous}}, "symmetric")
                                    ->wait();
                              }};

class NcclFailure : public ::testing::TestWithParam<Operation> {
 protected:
  /// What the ranks, three of them, were told by the end of three operations. Each is at the first or second.
  std::vector<std::string> told(const std::function<NcclScript(int rank)>& script, int wrong_size_from = 99,
                                int rank_2_leaves_before = 99) {
    std::mutex mutex;
    std::vector<std::string> errors;
    const auto body = [&](ProcessGroup& group) {
      try {
        for (int i = 0; i < 3; ++i) {
          group.set_step("forward of step " + std::to_string(i));
          if (group.rank() == 2 && i == rank_2_leaves_before) return;
          GetParam().run(group, group.rank() == 2 && i >= wrong_size_from ? 1 : 0);
        }
        group.settle();
      } catch (const GroupError& error) {
        const std::lock_guard lock(mutex);
        errors.emplace_back(error.what());
        EXPECT_THAT(error.what(), HasSubstr("rank " + std::to_string(group.rank()) + " of 3: "));
        const bool of_control_group = errors.back().find(": broadcast (") != std::string::npos;
        if (!of_control_group) {
          EXPECT_THAT([&] { group.settle(); }, ThrowsMessage<GroupError>(error.what())) << "the reason is kept";
        }
      }
    };
    run_scripted_ranks(3, body, script, kPatience);
    return errors;
  }

  static constexpr milliseconds kPatience = milliseconds(300);
};

TEST_P(NcclFailure, OfAPeerThatIsLostInAnExchangeIsToldWithRankOperationAndStep) {
  const auto errors = told([](int rank) { return NcclScript{.lost_at = rank == 0 ? 1 : -1}; });
  ASSERT_FALSE(errors.empty());
  EXPECT_THAT(errors, ::testing::Contains(AllOf(HasSubstr("rank 0 of 3: "), HasSubstr("(forward of step 1)"),
                                                HasSubstr(GetParam().name), HasSubstr("remote process exited"))));
}

TEST_P(NcclFailure, OfACallIsTold) {
  const auto errors = told([](int rank) { return NcclScript{.send_fails_at = rank == 2 ? 1 : -1}; });
  EXPECT_THAT(errors, ::testing::Contains(AllOf(HasSubstr("rank 2 of 3: "), HasSubstr("ncclSend failed with code 4"))));
}

TEST_P(NcclFailure, OfADeviceThatHangsIsToldAfterThePatience) {
  const auto errors = told([](int) { return NcclScript{.hangs_at = 2}; });
  EXPECT_THAT(errors, ::testing::Contains(AllOf(HasSubstr("not done after 300 ms"), HasSubstr("(forward of step 2)"),
                                                HasSubstr("the device does not end it"))));
}

TEST_P(NcclFailure, OfAPeerThatNeverComesNamesIt) {
  // Before the first of all, and after an exchange has gone well.
  for (const int before : {0, 2}) {
    const auto errors = told([](int) { return NcclScript{}; }, 99, before);
    EXPECT_THAT(errors, ::testing::Contains(AllOf(HasSubstr("not done after 300 ms"), HasSubstr("rank(s) 2"),
                                                  HasSubstr("(forward of step " + std::to_string(before) + ")"))));
  }
}

const auto kName = [](const auto& param) { return std::string(param.param.name); };

INSTANTIATE_TEST_SUITE_P(Operations, NcclFailure, ::testing::ValuesIn(kOperations), kName);

class NcclSizes : public NcclFailure {};

TEST_P(NcclSizes, ThatDoNotMatchAreNamed) {
  const auto errors = told([](int) { return NcclScript{}; }, 1);
  ASSERT_FALSE(errors.empty());
  EXPECT_THAT(errors, ::testing::Contains(AllOf(HasSubstr("bytes, expected"), HasSubstr(GetParam().name),
                                                HasSubstr("(forward of step 1)"))));
}

INSTANTIATE_TEST_SUITE_P(Operations, NcclSizes, ::testing::Values(kOperations[0], kOperations[1], kOperations[3]),
                         kName);

class NcclPeers : public NcclFailure {};

TEST_P(NcclPeers, ThatNeverComeAreNamedAndTheDeviceIsFreed) {
  for (const int before : {1, 2}) {
    const auto errors = told([](int) { return NcclScript{}; }, 99, before);
    EXPECT_THAT(errors, ::testing::Contains(AllOf(HasSubstr("not done after 300 ms"), HasSubstr("rank(s) 2"),
                                                  HasSubstr("symmetric"),
                                                  HasSubstr("(forward of step " + std::to_string(before) + ")"))));
  }
}

TEST_P(NcclPeers, WhoseCopyIsRefusedSaySoWithTheDriversWords) {
  const auto errors = told([](int rank) {
    NcclScript script;
    if (rank == 2) script.copy_fails_at = 1;
    return script;
  });
  EXPECT_THAT(errors, ::testing::Contains(AllOf(HasSubstr("rank 2 of 3: symmetric (forward of step 1)"),
                                                HasSubstr("cuMemcpy2DAsync failed with code 700"))));
}

TEST_P(NcclPeers, ThatSendAnotherSizeAreNamed) {
  const auto errors = told([](int) { return NcclScript{}; }, 1);
  EXPECT_THAT(errors,
              ::testing::Contains(AllOf(HasSubstr("bytes, expected"), HasSubstr("symmetric (forward of step 1)"))));
}

INSTANTIATE_TEST_SUITE_P(Operations, NcclPeers, ::testing::Values(kSymmetric), kName);

TEST(NcclGroupErrors, ARankThatDoesNotConnectEndsTheOthersWait) {
  const auto run = [] {
    run_scripted_ranks(
        3, [](ProcessGroup&) {}, [](int rank) { return NcclScript{.never_connects = rank == 1}; }, milliseconds(100));
  };
  EXPECT_THAT(run, ThrowsMessage<GroupError>(AllOf(HasSubstr("of 3: connect over NCCL: not done after 100 ms"),
                                                   HasSubstr("NCCL waits for a peer to connect"))));
}

TEST(NcclGroupErrors, AbortEndsPartsOfTheGroupOnTheDevice) {
  std::mutex mutex;
  std::vector<std::string> errors;
  const auto body = [&](ProcessGroup& group) {
    const auto part = group.split(group.rank() / 2);
    try {
      group.barrier();
      if (group.rank() == 3) {
        group.abort("the disk is gone");
        return;
      }
      for (int i = 0; i < 100; ++i) part->all_gather(at::zeros({4}));
      part->barrier();
    } catch (const GroupError& error) {
      const std::lock_guard lock(mutex);
      errors.emplace_back(error.what());
    }
  };
  run_scripted_ranks(4, body, {}, milliseconds(2000));
  EXPECT_THAT(errors, ::testing::Contains(HasSubstr("the disk is gone")));
}

TEST(NcclGroupErrors, TensorsOfTwoDevicesAreNoExchange) {
  run_scripted_ranks(2, [](ProcessGroup& group) {
    const int peer = 1 - group.rank();
    const at::Tensor elsewhere = at::empty({4}, at::TensorOptions().device(c10::kMeta));
    EXPECT_THAT(
        [&] {
          group.exchange({{at::zeros({4}), peer}, {elsewhere, peer}}, {}, "ring");
        },
        ThrowsMessage<std::invalid_argument>(HasSubstr("ring: some tensors are not on cpu")));
  });
}

}  // namespace
}  // namespace reelfarm::parallel
