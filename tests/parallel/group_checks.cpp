#include "tests/parallel/group_checks.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <numeric>
#include <stdexcept>

namespace reelfarm::parallel::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

/// A block that tells its sender, its receiver and the place in it.
at::Tensor block(int from, int to, std::int64_t count) {
  return at::arange(count, at::kDouble) + 1000 * from + 100'000 * to;
}

}  // namespace

void check_all_to_all(ProcessGroup& group, c10::Device device) {
  for (const at::ScalarType type : {at::kDouble, at::kFloat}) {
    std::vector<at::Tensor> given;
    std::vector<at::Tensor> expected;
    for (int peer = 0; peer < group.size(); ++peer) {
      given.push_back(block(group.rank(), peer, 12).to(device, type).view({2, 6}));
      expected.push_back(block(peer, group.rank(), 12).to(device, type).view({2, 6}));
    }
    EXPECT_TRUE(at::equal(group.all_to_all(at::cat(given)), at::cat(expected)));
    // Rows that are not contiguous are taken as they read.
    EXPECT_TRUE(at::equal(group.all_to_all(at::cat(given).t().contiguous().t()), at::cat(expected)));
  }
  EXPECT_EQ(group.all_to_all(at::empty({group.size(), 0}, at::TensorOptions().device(device))).numel(), 0);
}

void check_all_gather(ProcessGroup& group, c10::Device device) {
  std::vector<at::Tensor> expected;
  for (int peer = 0; peer < group.size(); ++peer) expected.push_back(block(peer, 0, 7).to(device));
  EXPECT_TRUE(at::equal(group.all_gather(block(group.rank(), 0, 7).to(device)), at::stack(expected)));
}

void check_broadcast(ProcessGroup& group) {
  for (int root = 0; root < group.size(); ++root) {
    std::vector<std::uint32_t> data(100'003, 0);
    if (group.rank() == root) std::iota(data.begin(), data.end(), static_cast<std::uint32_t>(root));
    group.broadcast(std::as_writable_bytes(std::span(data)), root);
    EXPECT_EQ(data.front(), static_cast<std::uint32_t>(root));
    EXPECT_EQ(data.back(), static_cast<std::uint32_t>(root) + 100'002);
  }
  const std::string order = std::string("{\"task\":\"a\0b\"}", 14);
  for (const std::string& text : {order, std::string(), std::string(70'000, 'x')}) {
    EXPECT_EQ(group.broadcast_text(group.rank() == 0 ? text : "stale text of another length", 0), text);
  }
}

void check_broadcast_tensor(ProcessGroup& group, c10::Device device) {
  const int root = group.size() - 1;
  const at::Tensor scalar = at::full({}, 7, at::kLong);
  const at::Tensor cut = at::arange(24, at::kFloat).view({2, 3, 4}).transpose(0, 2);
  for (const at::Tensor& tensor : {scalar, cut, cut.to(at::kBFloat16), at::empty({3, 0}, at::kByte)}) {
    const at::Tensor got = group.broadcast_tensor(group.rank() == root ? tensor : at::Tensor(), root, device);
    EXPECT_EQ(got.device(), device);
    EXPECT_EQ(got.scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(at::equal(got.cpu(), tensor));
  }
}

void check_exchanges_match_in_the_order_of_posting(ProcessGroup& group, c10::Device device) {
  if (group.size() == 1) return;
  const int next = (group.rank() + 1) % group.size();
  const int previous = (group.rank() - 1 + group.size()) % group.size();
  const auto options = at::TensorOptions().dtype(at::kDouble).device(device);
  const auto post = [&](double value, const at::Tensor& into) {
    return group.exchange({{at::full({5}, value + group.rank(), options), next}}, {{into, previous}}, "ring");
  };
  const at::Tensor first = at::zeros({5}, options);
  const at::Tensor second = at::zeros({5}, options);
  const auto one = post(100, first);
  const auto two = post(200, second);
  two->wait();
  one->wait();
  EXPECT_EQ(first[0].item<double>(), 100 + previous);
  EXPECT_EQ(second[4].item<double>(), 200 + previous);
}

void check_symmetric_memory(ProcessGroup& group, c10::Device device) {
  const auto options = at::TensorOptions().dtype(at::kDouble).device(device);
  const int ranks = group.size();
  std::int64_t rows = 3;
  for (int round = 0; round < 12; ++round, rows *= 2) {
    // From each peer `rows` rows of 4, side by side in the first tensor, and 5 numbers in the second.
    const auto memory = group.symmetric_empty({rows * ranks * 4, std::int64_t{ranks} * 5}, options);
    const at::Tensor wide = memory[0].view({rows, ranks, 4}).fill_(-1);
    const at::Tensor line = memory[1].view({ranks, 5}).fill_(-1);
    const at::Tensor given = (at::arange(rows * 8, options) + 1e6 * group.rank() + round).view({rows, 8});
    // What a peer sends must not be overwritten here: nobody sends before all devices have filled.
    EXPECT_EQ((wide.sum() + line.sum()).item<double>(), static_cast<double>(-wide.numel() - line.numel()));
    group.barrier();
    std::vector<Send> sends;
    std::vector<Receive> receives;
    for (int distance = 1; distance < ranks; ++distance) {
      const int to = (group.rank() + distance) % ranks;
      sends.push_back({given.narrow(1, to % 5, 4), to, wide.select(1, group.rank())});
      sends.push_back({given.flatten().narrow(0, to, 5), to, line[group.rank()]});
      const int from = (group.rank() - distance + ranks) % ranks;
      receives.push_back({wide.select(1, from), from});
      receives.push_back({line[from], from});
    }
    group.exchange(std::move(sends), std::move(receives), "symmetric")->wait();
    for (int from = 0; from < ranks; ++from) {
      const at::Tensor theirs = (at::arange(rows * 8, options) + 1e6 * from + round).view({rows, 8});
      const bool own = from == group.rank();
      const at::Tensor expected = theirs.narrow(1, group.rank() % 5, 4);
      EXPECT_TRUE(at::equal(wide.select(1, from), own ? at::full_like(expected, -1) : expected)) << "round " << round;
      const at::Tensor numbers = theirs.flatten().narrow(0, group.rank(), 5);
      EXPECT_TRUE(at::equal(line[from], own ? at::full_like(numbers, -1) : numbers)) << "round " << round;
    }
    // Between rounds everything else goes its way.
    if (round % 3 == 0) check_all_gather(group, device);
  }
}

void check_split(ProcessGroup& group, c10::Device device) {
  const auto half = group.split(group.rank() % 2);
  EXPECT_EQ(half->size(), (group.size() + 1 - group.rank() % 2) / 2);
  EXPECT_EQ(half->rank(), group.rank() / 2);
  const at::Tensor world_ranks =
      half->all_gather(at::full({1}, group.rank(), at::TensorOptions().dtype(at::kInt).device(device))).flatten();
  for (int i = 0; i < half->size(); ++i) EXPECT_EQ(world_ranks[i].item<int>(), 2 * i + group.rank() % 2);
  // Both groups work side by side, and a part can be split again.
  const auto alone = half->split(half->rank());
  EXPECT_EQ(alone->size(), 1);
  group.barrier();
}

void check_peers_are_checked(ProcessGroup& group, c10::Device device) {
  const at::Tensor tensor = at::zeros({2, 2}, at::TensorOptions().device(device));
  for (const int peer : {-1, group.rank(), group.size()}) {
    EXPECT_THAT(
        [&] {
          group.exchange({{tensor, peer}}, {}, "ring");
        },
        ThrowsMessage<std::invalid_argument>(HasSubstr("ring: rank " + std::to_string(peer) + " is no peer")));
  }
  if (group.size() == 1) return;
  const int next = (group.rank() + 1) % group.size();
  EXPECT_THAT(
      [&] {
        group.exchange({}, {{tensor.t(), next}}, "ring");
      },
      ThrowsMessage<std::invalid_argument>(HasSubstr("rows of a tensor are not contiguous")));
  EXPECT_THAT([&] { group.all_to_all(at::zeros({group.size() + 1})); },
              ThrowsMessage<std::invalid_argument>(HasSubstr("not a multiple of the")));
}

void check_every_promise(ProcessGroup& group, c10::Device device) {
  check_all_to_all(group, device);
  check_all_gather(group, device);
  check_broadcast(group);
  check_broadcast_tensor(group, device);
  check_exchanges_match_in_the_order_of_posting(group, device);
  check_symmetric_memory(group, device);
  check_split(group, device);
  check_peers_are_checked(group, device);
}

}  // namespace reelfarm::parallel::testing
