#include "tests/parallel/scripted_nccl.hpp"

#include <atomic>
#include <cstring>
#include <deque>
#include <utility>

#include "parallel/thread_group.hpp"

namespace reelfarm::parallel::testing {
namespace {

/// What one rank's device was given and has not done: acts that say whether they could be done. All under the fabric's
/// mutex.
struct Device {
  std::deque<std::function<bool()>> waiting;
  std::int64_t given = 0;
  std::int64_t done = 0;
  bool nccl_aborted = false;

  void give(std::function<bool()> act) {
    waiting.push_back(std::move(act));
    ++given;
  }

  void go_on(ScriptedFabric& fabric) {
    const std::int64_t before = done;
    while (!waiting.empty() && waiting.front()()) {
      waiting.pop_front();
      ++done;
    }
    if (done != before) fabric.changed.notify_all();
  }
};

/// Devices look at words again and again: the host, which sets them as well, tells nobody.
template <typename Reached>
void await(ScriptedFabric& fabric, std::unique_lock<std::mutex>& lock, const Reached& reached) {
  constexpr auto kLook = std::chrono::milliseconds(1);
  while (!fabric.changed.wait_for(lock, kLook, reached)) {
  }
}

class ScriptedMark final : public DeviceMark {
 public:
  ScriptedMark(ScriptedFabric& fabric, std::shared_ptr<Device> device)
      : fabric_(fabric), device_(std::move(device)), after_(device_->given) {}

  bool passed() const override {
    const std::lock_guard lock(fabric_.mutex);
    return reached();
  }
  /// The stream that computes is the calling thread itself.
  void hold_current_stream() override {
    std::unique_lock lock(fabric_.mutex);
    await(fabric_, lock, [&] { return reached(); });
  }

 private:
  bool reached() const {
    device_->go_on(fabric_);
    return device_->done >= after_;
  }

  ScriptedFabric& fabric_;
  std::shared_ptr<Device> device_;
  std::int64_t after_;
};

class ScriptedQueue final : public DeviceQueue {
 public:
  ScriptedQueue(ScriptedFabric& fabric, std::shared_ptr<Device> device) : fabric_(fabric), device_(std::move(device)) {}
  void* handle() const override { return device_.get(); }
  void follow_current_stream() override {}
  std::unique_ptr<DeviceMark> mark() override {
    const std::lock_guard lock(fabric_.mutex);
    return std::make_unique<ScriptedMark>(fabric_, device_);
  }

 private:
  ScriptedFabric& fabric_;
  std::shared_ptr<Device> device_;
};

class ScriptedNccl final : public NcclApi {
 public:
  ScriptedNccl(ScriptedFabric& fabric, std::shared_ptr<Device> device, const NcclScript& script)
      : fabric_(fabric), device_(std::move(device)), script_(script) {}

  int version() override { return 22807; }

  NcclId unique_id() override {
    const std::lock_guard lock(fabric_.mutex);
    NcclId id{};
    const int number = ++fabric_.ids;
    std::memcpy(id.data(), &number, sizeof number);
    return id;
  }

  NcclHandle begin_init(int size, const NcclId& id, int rank) override {
    const std::lock_guard lock(fabric_.mutex);
    if (!script_.never_connects) fabric_.connected[id].insert(rank);
    return new Communicator{.id = id, .size = static_cast<std::size_t>(size), .rank = rank, .sent = {}, .received = {}};
  }

  void group_start() override { letters_.clear(); }

  void send(const void* bytes, std::size_t count, int to, NcclHandle handle, void*) override {
    if (exchanges_ == script_.send_fails_at) {
      throw NcclError("NCCL: ncclSend failed with code 4: invalid argument");
    }
    Communicator& own = of(handle);
    const char* begin = static_cast<const char*>(bytes);
    letters_.push_back({{own.id, own.rank, to, own.sent[to]++}, {begin, begin + count}});
  }

  void receive(void* bytes, std::size_t count, int from, NcclHandle handle, void*) override {
    Communicator& own = of(handle);
    const bool never = exchanges_ == script_.lost_at || exchanges_ == script_.hangs_at;
    const std::lock_guard lock(fabric_.mutex);
    const ScriptedFabric::Route route{own.id, from, own.rank, own.received[from]++};
    device_->give([this, route, bytes, count, never] {
      if (device_->nccl_aborted) return true;
      const auto letter = fabric_.letters.find(route);
      // A letter of another size is what NCCL hangs on.
      if (never || letter == fabric_.letters.end() || letter->second.size() != count) return false;
      std::memcpy(bytes, letter->second.data(), count);
      fabric_.letters.erase(letter);
      return true;
    });
  }

  void group_end() override {
    const std::lock_guard lock(fabric_.mutex);
    for (auto& [route, letter] : letters_) fabric_.letters[route] = std::move(letter);
    letters_.clear();
    lost_ = exchanges_ == script_.lost_at;
    ++exchanges_;
    asked_ = 0;
    fabric_.changed.notify_all();
  }

  NcclState state(NcclHandle handle) override {
    const std::lock_guard lock(fabric_.mutex);
    if (lost_) throw NcclError("NCCL: the communicator failed with code 6: remote process exited");
    const Communicator& own = of(handle);
    // A call goes through a little later, as NCCL's do.
    constexpr int kAsked = 2;
    return fabric_.connected[own.id].size() == own.size && ++asked_ > kAsked ? NcclState::ready
                                                                             : NcclState::in_progress;
  }

  void abort(NcclHandle handle) noexcept override {
    const std::lock_guard lock(fabric_.mutex);
    device_->nccl_aborted = true;
    fabric_.changed.notify_all();
    delete &of(handle);
  }
  void destroy(NcclHandle handle) noexcept override { delete &of(handle); }

 private:
  struct Communicator {
    NcclId id;
    std::size_t size;
    int rank;
    std::map<int, std::int64_t> sent;
    std::map<int, std::int64_t> received;
  };
  static Communicator& of(NcclHandle handle) { return *static_cast<Communicator*>(handle); }

  ScriptedFabric& fabric_;
  std::shared_ptr<Device> device_;
  NcclScript script_;
  std::vector<std::pair<ScriptedFabric::Route, std::vector<char>>> letters_;
  int exchanges_ = 0;
  int asked_ = 0;
  bool lost_ = false;
};

/// Device memory is the host's, which all ranks of a test reach; the words are real shared memory.
class ScriptedPeers final : public PeerDriver {
 public:
  ScriptedPeers(ScriptedFabric& fabric, std::shared_ptr<Device> device, NcclScript script)
      : fabric_(fabric), device_(std::move(device)), script_(std::move(script)) {}

  void* allocate(std::size_t bytes) override { return new std::byte[bytes]; }
  void release(void* memory) noexcept override { delete[] static_cast<std::byte*>(memory); }
  PeerHandle handle_of(void* memory) override {
    PeerHandle handle{};
    std::memcpy(handle.data(), &memory, sizeof memory);
    return handle;
  }
  void* open(const PeerHandle& handle) override {
    if (!script_.no_peers.empty()) throw PeerError(script_.no_peers);
    void* memory = nullptr;
    std::memcpy(&memory, handle.data(), sizeof memory);
    return memory;
  }
  void close(void*) noexcept override {}
  void* enlist(void* host, std::size_t) override { return host; }
  void dismiss(void*) noexcept override {}

  void copy(const RowsCopy& rows, void*) override {
    if (copies_++ == script_.copy_fails_at) throw PeerError("CUDA driver: cuMemcpy2DAsync failed with code 700");
    give([rows] {
      for (std::size_t row = 0; row < rows.rows; ++row) {
        std::memcpy(static_cast<std::byte*>(rows.to) + row * rows.to_pitch,
                    static_cast<const std::byte*>(rows.from) + row * rows.from_pitch, rows.width);
      }
      return true;
    });
  }
  void write(void* word, std::uint32_t value, void*) override {
    give([word, value] {
      std::atomic_ref(*static_cast<std::uint32_t*>(word)).store(value);
      return true;
    });
  }
  void wait(void* word, std::uint32_t value, void*) override {
    give([word, value] {
      const std::uint32_t found = std::atomic_ref(*static_cast<std::uint32_t*>(word)).load();
      return static_cast<std::int32_t>(found - value) >= 0;
    });
  }
  void synchronize() override {
    std::unique_lock lock(fabric_.mutex);
    await(fabric_, lock, [&] {
      device_->go_on(fabric_);
      return device_->waiting.empty();
    });
  }

 private:
  void give(std::function<bool()> act) {
    const std::lock_guard lock(fabric_.mutex);
    device_->give(std::move(act));
  }

  ScriptedFabric& fabric_;
  std::shared_ptr<Device> device_;
  NcclScript script_;
  int copies_ = 0;
};

}  // namespace

std::shared_ptr<NcclLane> scripted_lane(ScriptedFabric& fabric, const NcclScript& script) {
  auto device = std::make_shared<Device>();
  return std::make_shared<NcclLane>(
      std::make_shared<ScriptedNccl>(fabric, device, script), std::make_unique<ScriptedQueue>(fabric, device),
      [&fabric, device, script] { return std::make_shared<ScriptedPeers>(fabric, device, script); });
}

namespace {

/// A control group that outlives the group which takes it over.
class Borrowed final : public ProcessGroup {
 public:
  explicit Borrowed(ProcessGroup& group) : ProcessGroup(group.patience()), group_(group) {}
  int rank() const override { return group_.rank(); }
  int size() const override { return group_.size(); }
  void broadcast(std::span<std::byte> bytes, int root) override { group_.broadcast(bytes, root); }
  void barrier() override { group_.barrier(); }
  std::unique_ptr<ProcessGroup> split(int colour) override { return group_.split(colour); }
  void abort(const std::string& why) override { group_.abort(why); }
  void set_step(std::string step) override { group_.set_step(std::move(step)); }

 private:
  std::unique_ptr<Transfer> post(std::vector<Send> sends, std::vector<Receive> receives,
                                 const char* operation) override {
    return group_.exchange(std::move(sends), std::move(receives), operation);
  }

  ProcessGroup& group_;
};

}  // namespace

void run_scripted_ranks(int size, const std::function<void(ProcessGroup& group)>& body,
                        const std::function<NcclScript(int rank)>& script, std::chrono::milliseconds patience) {
  ScriptedFabric fabric;
  run_thread_ranks(
      size,
      [&](ProcessGroup& control) {
        NcclProcessGroup group(std::make_unique<Borrowed>(control), c10::kCPU,
                               scripted_lane(fabric, script ? script(control.rank()) : NcclScript{}));
        body(group);
      },
      patience);
}

}  // namespace reelfarm::parallel::testing
