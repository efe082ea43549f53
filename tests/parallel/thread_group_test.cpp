#include "parallel/thread_group.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <stdexcept>

#include "parallel/errors.hpp"
#include "tests/parallel/group_checks.hpp"

namespace reelfarm::parallel {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ThreadGroup : public ::testing::TestWithParam<int> {};

TEST_P(ThreadGroup, DoesWhatEveryGroupDoes) {
  run_thread_ranks(GetParam(), [](ProcessGroup& group) { testing::check_every_promise(group); });
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadGroup, ::testing::Values(1, 2, 3, 4, 6, 8));

/// One operation of a group, on data of its own.
struct Operation {
  const char* name;
  void (*run)(ProcessGroup& group);
};

void PrintTo(const Operation& operation, std::ostream* out) {
  *out << operation.name;
}

const Operation kOperations[] = {
    {"all_to_all",
     [](ProcessGroup& group) {
       group.all_to_all(at::zeros({group.size(), 3}));
     }},
    {"all_gather", [](ProcessGroup& group) { group.all_gather(at::zeros({3})); }},
    {"broadcast", [](ProcessGroup& group) { group.broadcast_text("order", 2); }},
    {"broadcast_tensor", [](ProcessGroup& group) { group.broadcast_tensor(at::zeros({3}), 2, c10::kCPU); }},
    {"ring",
     [](ProcessGroup& group) {
       group.exchange({{at::zeros({3}), (group.rank() + 1) % 3}}, {{at::zeros({3}), (group.rank() + 2) % 3}}, "ring")
           ->wait();
     }},
};

class LostPeer : public ::testing::TestWithParam<Operation> {};

TEST_P(LostPeer, BeforeAnOperationEndsTheWaitOfTheOthersWithItsReason) {
  std::string told;
  const auto body = [&](ProcessGroup& group) {
    group.set_step("step 3");
    if (group.rank() == 2) {
      GetParam().run(group);
      throw std::runtime_error("out of memory");
    }
    try {  // the first may end so already: rank 2 can be through it while the others still send to each other
      for (int i = 0; i < 3; ++i) GetParam().run(group);
    } catch (const GroupError& error) {
      if (group.rank() == 0) told = error.what();
    }
  };
  EXPECT_THAT([&] { run_thread_ranks(3, body); }, ThrowsMessage<std::runtime_error>("out of memory"));
  const char* operation = std::string(GetParam().name) == "broadcast_tensor" ? "broadcast" : GetParam().name;
  EXPECT_THAT(told, AllOf(HasSubstr(std::string("rank 0 of 3: ") + operation + " (step 3)"),
                          HasSubstr("the group was ended: rank 2: out of memory")));
}

TEST_P(LostPeer, ThatNeverComesEndsTheWaitAfterThePatience) {
  const auto body = [](ProcessGroup& group) {
    if (group.rank() != 2) GetParam().run(group);
  };
  EXPECT_THAT([&] { run_thread_ranks(3, body, milliseconds(30)); },
              ThrowsMessage<GroupError>(AllOf(HasSubstr("not done after 30 ms"), HasSubstr("from rank(s) 2"))));
}

INSTANTIATE_TEST_SUITE_P(Operations, LostPeer, ::testing::ValuesIn(kOperations),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(ThreadGroupErrors, APeerThatSendsAnotherSizeIsNamed) {
  const auto body = [](ProcessGroup& group) { group.all_gather(at::zeros({4 + group.rank()})); };
  EXPECT_THAT([&] { run_thread_ranks(2, body); },
              ThrowsMessage<GroupError>(AllOf(HasSubstr("of 2: all_gather: rank"), HasSubstr("bytes, expected"))));
}

TEST(ThreadGroupErrors, AbortReachesPartsOfTheGroup) {
  const auto body = [](ProcessGroup& group) {
    const auto part = group.split(group.rank() / 2);
    if (group.rank() == 3) {
      group.abort("the disk is gone");
      return;
    }
    part->barrier();
    part->barrier();
  };
  EXPECT_THAT([&] { run_thread_ranks(4, body); }, ThrowsMessage<GroupError>(HasSubstr("the disk is gone")));
}

}  // namespace
}  // namespace reelfarm::parallel
