#include "parallel/nccl_lane.hpp"

#include <utility>

#include "parallel/errors.hpp"

namespace reelfarm::parallel {
namespace {

using Clock = std::chrono::steady_clock;

/// How often the watching thread looks at what is under way.
constexpr auto kLook = std::chrono::microseconds(500);
/// How often a call that has not gone through is asked after; it takes some 30 us as a rule.
constexpr auto kPoll = std::chrono::microseconds(10);

std::string late(const std::string& place, std::chrono::milliseconds patience, const std::string& what) {
  return place + ": not done after " + std::to_string(patience.count()) + " ms; " + what;
}

/// Whom a late exchange waits for, as far as announcements tell.
std::string silent_peers(const Flight& flight) {
  std::string peers;
  for (const Announcement& each : flight.announcements) {
    if (each.transfer) peers += " " + std::to_string(each.from);
  }
  return peers.empty() ? "all peers have posted their part, the device does not end it"
                       : "nothing came from rank(s)" + peers;
}

}  // namespace

NcclLane::NcclLane(std::shared_ptr<NcclApi> api, std::unique_ptr<DeviceQueue> queue, LoadPeers peers)
    : api_(std::move(api)), queue_(std::move(queue)), load_peers_(std::move(peers)), watching_([this] { watch(); }) {}

NcclLane::~NcclLane() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_all();
  }
  watching_.join();
}

NcclId NcclLane::unique_id() {
  const std::lock_guard call(calls_);
  return api_->unique_id();
}

std::shared_ptr<NcclCommunicator> NcclLane::connect(int size, const NcclId& id, int rank, const std::string& place,
                                                    std::chrono::milliseconds patience) {
  require_sound();
  std::shared_ptr<NcclCommunicator> communicator;
  try {
    const std::lock_guard call(calls_);
    communicator = std::make_shared<NcclCommunicator>(api_, size, id, rank);
  } catch (const NcclError& error) {
    fail(place + ": " + error.what());
    require_sound();
  }
  {
    const std::lock_guard lock(mutex_);
    communicators_.push_back(communicator);
  }
  await(*communicator, place, Clock::now() + patience, patience);
  return communicator;
}

std::shared_ptr<PeerMemory> NcclLane::open_peer_memory(ProcessGroup& control) {
  // The driver's calls are for the context that is the thread's, which the first call of CUDA's runtime makes so.
  queue_->follow_current_stream();
  auto memory = std::make_shared<PeerMemory>(control, load_peers_);
  const std::lock_guard lock(mutex_);
  memories_.push_back(memory);
  return memory;
}

std::byte* NcclLane::begin_round(PeerMemory& memory, const std::string& place) {
  require_sound();
  try {
    return memory.begin_round(*queue_);
  } catch (const PeerError& error) {
    fail(place + ": " + error.what());
    throw GroupError(place + ": " + error.what());
  }
}

std::shared_ptr<DeviceMark> NcclLane::launch(NcclCommunicator& communicator, PeerMemory* memory,
                                             const std::vector<Send>& sends, const std::vector<Receive>& receives,
                                             Flight flight) {
  require_sound();
  queue_->follow_current_stream();
  try {
    const std::lock_guard call(calls_);
    flight.communicator = communicator.handle();
    if (memory != nullptr) {
      memory->exchange(sends, receives, queue_->handle());
    } else if (flight.communicator != nullptr) {
      api_->group_start();
      for (const Send& send : sends) {
        api_->send(send.tensor.const_data_ptr(), send.tensor.nbytes(), send.to, flight.communicator, queue_->handle());
      }
      for (const Receive& receive : receives) {
        api_->receive(receive.tensor.data_ptr(), receive.tensor.nbytes(), receive.from, flight.communicator,
                      queue_->handle());
      }
      api_->group_end();
    }
  } catch (const NcclError& error) {
    fail(flight.place + ": " + error.what());
  } catch (const PeerError& error) {
    fail(flight.place + ": " + error.what());
  }
  require_sound();
  // The mark must stand behind the messages: NCCL gives them to the stream in a thread of its own.
  if (memory == nullptr) await(communicator, flight.place, flight.deadline, flight.patience);
  flight.end = queue_->mark();
  std::shared_ptr<DeviceMark> end = flight.end;
  const std::lock_guard lock(mutex_);
  flights_.push_back(std::move(flight));
  changed_.notify_all();
  return end;
}

void NcclLane::await(NcclCommunicator& communicator, const std::string& place, Clock::time_point deadline,
                     std::chrono::milliseconds patience) {
  for (;;) {
    require_sound();
    try {
      const std::lock_guard call(calls_);
      if (communicator.handle() != nullptr && api_->state(communicator.handle()) == NcclState::ready) return;
    } catch (const NcclError& error) {
      fail(place + ": " + error.what());
    }
    if (Clock::now() > deadline) fail(late(place, patience, "NCCL waits for a peer to connect"));
    std::this_thread::sleep_for(kPoll);
  }
}

void NcclLane::require_sound() {
  const std::lock_guard lock(mutex_);
  if (failure_) throw GroupError(*failure_);
}

void NcclLane::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failure_ || flights_.empty(); });
  if (failure_) throw GroupError(*failure_);
}

void NcclLane::fail(const std::string& why) {
  const std::lock_guard lock(mutex_);
  if (failure_) return;
  failure_ = why;
  // An abort waits for what the device has been given: its streams must go on, whatever peers write meanwhile.
  const std::jthread freeing([this](const std::stop_token& stop) {
    for (; !stop.stop_requested(); std::this_thread::sleep_for(kLook)) let_go();
  });
  const std::lock_guard call(calls_);
  for (const auto& each : communicators_) {
    if (const auto communicator = each.lock()) communicator->abort();
  }
  // Their tensors and marks may go: an aborted communicator writes nothing any more.
  flights_.clear();
  changed_.notify_all();
}

void NcclLane::let_go() {
  for (const auto& each : memories_) {
    if (const auto memory = each.lock()) memory->let_go();
  }
}

bool NcclLane::ended(Flight& flight) {
  for (Announcement& each : flight.announcements) {
    if (!each.transfer) continue;
    if (!each.transfer->done()) break;
    const std::int64_t announced = *each.announced.const_data_ptr<std::int64_t>();
    if (announced != each.expected) {
      throw GroupError(flight.place + ": rank " + std::to_string(each.from) + " sent " + std::to_string(announced) +
                       " bytes, expected " + std::to_string(each.expected));
    }
    each.transfer.reset();
  }
  while (!flight.announcing.empty() && flight.announcing.back()->done()) flight.announcing.pop_back();
  const bool announced =
      flight.announcing.empty() && (flight.announcements.empty() || flight.announcements.back().transfer == nullptr);
  // Before the communicator is asked: an error belongs to what has not ended, not to what went before it.
  if (announced && flight.end->passed()) return true;
  {
    const std::lock_guard call(calls_);
    api_->state(flight.communicator);
  }
  if (Clock::now() > flight.deadline) throw GroupError(late(flight.place, flight.patience, silent_peers(flight)));
  return false;
}

void NcclLane::watch() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    if (failure_) {
      let_go();
      changed_.wait_for(lock, kLook, [&] { return closing_; });
      continue;
    }
    if (flights_.empty()) {
      changed_.wait(lock, [&] { return closing_ || failure_ || !flights_.empty(); });
      continue;
    }
    Flight& first = flights_.front();
    std::optional<std::string> wrong;
    bool over = false;
    try {
      over = ended(first);
    } catch (const NcclError& error) {
      wrong = first.place + ": " + error.what();
    } catch (const std::exception& error) {
      wrong = error.what();
    }
    if (wrong) {
      lock.unlock();
      fail(*wrong);
      lock.lock();
    } else if (over) {
      flights_.pop_front();
      changed_.notify_all();
    } else {
      changed_.wait_for(lock, kLook, [&] { return closing_ || flights_.empty(); });
    }
  }
}

}  // namespace reelfarm::parallel
