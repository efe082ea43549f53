#include "parallel/thread_group.hpp"

#include <ATen/ATen.h>

#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "parallel/errors.hpp"

namespace reelfarm::parallel {
namespace {

/// A message's way, which is the same for sender and receiver: both count what they post to each other.
struct Route {
  std::string group;
  int from;
  int to;
  std::int64_t number;
  auto operator<=>(const Route&) const = default;
};

/// What all ranks share: letters that were put and not yet taken.
class Post {
 public:
  void put(const Route& route, const at::Tensor& letter) {
    const std::lock_guard lock(mutex_);
    letters_.emplace(route, letter.clone());
    changed_.notify_all();
  }

  at::Tensor take(const Route& route, const std::string& place, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return broken_ || letters_.contains(route); });
    const auto letter = letters_.find(route);
    if (letter != letters_.end()) return letters_.extract(letter).mapped();
    if (broken_) throw GroupError(place + ": the group was ended: " + *broken_);
    throw GroupError(place + ": not done after " + std::to_string(patience.count()) +
                     " ms; nothing came from rank(s) " + std::to_string(route.from));
  }

  /// Whether take() would return at once, or throw.
  bool ready(const Route& route) {
    const std::lock_guard lock(mutex_);
    return broken_ || letters_.contains(route);
  }

  void end(const std::string& why) {
    const std::lock_guard lock(mutex_);
    if (!broken_) broken_ = why;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Route, at::Tensor> letters_;
  std::optional<std::string> broken_;
};

class ThreadTransfer final : public Transfer {
 public:
  struct Expected {
    Route route;
    at::Tensor tensor;
  };

  ThreadTransfer(Post& post, std::vector<Expected> expected, std::string place, std::chrono::milliseconds patience)
      : post_(post), expected_(std::move(expected)), place_(std::move(place)), patience_(patience) {}

  void wait() override {
    for (const Expected& each : std::exchange(expected_, {})) {
      const at::Tensor letter = post_.take(each.route, place_, patience_);
      if (letter.nbytes() != each.tensor.nbytes()) {
        throw GroupError(place_ + ": rank " + std::to_string(each.route.from) + " sent " +
                         std::to_string(letter.nbytes()) + " bytes, expected " + std::to_string(each.tensor.nbytes()));
      }
      std::memcpy(each.tensor.data_ptr(), letter.const_data_ptr(), letter.nbytes());
    }
  }

  bool done() override {
    for (const Expected& each : expected_) {
      if (!post_.ready(each.route)) return false;
    }
    wait();
    return true;
  }

 private:
  Post& post_;
  std::vector<Expected> expected_;
  std::string place_;
  std::chrono::milliseconds patience_;
};

class ThreadProcessGroup final : public ProcessGroup {
 public:
  ThreadProcessGroup(Post& post, std::string name, int rank, int size, std::chrono::milliseconds patience)
      : ProcessGroup(patience), post_(post), name_(std::move(name)), rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void broadcast(std::span<std::byte> bytes, int root) override {
    if (root < 0 || root >= size_) {
      throw std::invalid_argument("broadcast: root " + std::to_string(root) + " in a group of " +
                                  std::to_string(size_) + " ranks");
    }
    const at::Tensor buffer =
        at::from_blob(bytes.data(), {static_cast<std::int64_t>(bytes.size())}, at::TensorOptions().dtype(at::kByte));
    send_to_all(buffer, root, "broadcast");
  }

  void barrier() override { all_gather(at::zeros({1}, at::kByte)); }

  std::unique_ptr<ProcessGroup> split(int colour) override {
    const at::Tensor colours = all_gather(at::full({1}, colour, at::kInt)).flatten();
    int rank = 0;
    int size = 0;
    for (int peer = 0; peer < size_; ++peer) {
      if (colours[peer].item<int>() != colour) continue;
      if (peer < rank_) ++rank;
      ++size;
    }
    const std::string name = name_ + "/" + std::to_string(splits_++) + ":" + std::to_string(colour);
    return std::make_unique<ThreadProcessGroup>(post_, name, rank, size, patience());
  }

  void abort(const std::string& why) override { post_.end(why); }

 private:
  std::unique_ptr<Transfer> post(std::vector<Send> sends, std::vector<Receive> receives,
                                 const char* operation) override {
    for (const Send& send : sends) post_.put({name_, rank_, send.to, sent_[send.to]++}, send.tensor);
    std::vector<ThreadTransfer::Expected> expected;
    for (const Receive& receive : receives) {
      expected.push_back({{name_, receive.from, rank_, received_[receive.from]++}, receive.tensor});
    }
    return std::make_unique<ThreadTransfer>(post_, std::move(expected), place(operation), patience());
  }

  Post& post_;
  std::string name_;
  int rank_;
  int size_;
  std::map<int, std::int64_t> sent_;
  std::map<int, std::int64_t> received_;
  int splits_ = 0;  // as every split is collective, the same on all ranks
};

}  // namespace

void run_thread_ranks(int size, const std::function<void(ProcessGroup& group)>& body,
                      std::chrono::milliseconds patience) {
  Post post;
  std::mutex mutex;
  std::exception_ptr first;
  const auto run = [&](int rank) {
    ThreadProcessGroup group(post, "world", rank, size, patience);
    try {
      body(group);
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex);
      if (!first) first = std::current_exception();
      post.end("rank " + std::to_string(rank) + ": " + error.what());
    }
  };
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) threads.emplace_back(run, rank);
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace reelfarm::parallel
