#include "coordinator/http/connections.hpp"

#include <sys/socket.h>

namespace reelfarm::http {
namespace {

constexpr std::size_t kMaxPending = 1024;
constexpr std::chrono::milliseconds kLook{5};

}  // namespace

Connections::Connections(std::size_t max) : max_(max), room_maker_([this] { make_room(); }) {}

bool Connections::enqueue(std::function<void()> serve) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || pending_.size() >= kMaxPending) return false;
  pending_.push_back(std::move(serve));
  if (idle_ >= pending_.size()) {
    wake_.notify_one();
  } else if (threads_.size() < max_) {
    threads_.emplace_back([this] { work(); });
  } else {
    crowded_.notify_one();
  }
  return true;
}

void Connections::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const Connection& connection : connections_) ::shutdown(connection.socket, SHUT_RDWR);
    threads.swap(threads_);
    wake_.notify_all();
    crowded_.notify_all();
  }
  if (room_maker_.joinable()) room_maker_.join();
  for (std::thread& thread : threads) thread.join();
}

void Connections::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
    --idle_;
    // What still waits is served, and ends at once: its socket has to be closed by somebody.
    if (pending_.empty()) return;
    const std::function<void()> serve = std::move(pending_.front());
    pending_.pop_front();
    lock.unlock();
    serve();
    lock.lock();
  }
}

// Looks again and again, since at the moment that one more comes no thread may be waiting for its client yet.
void Connections::make_room() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    crowded_.wait(lock, [this] { return stopping_ || (pending_.size() > idle_ && threads_.size() >= max_); });
    for (std::size_t wanted = pending_.size(); wanted > 0 && !stopping_; --wanted) cut_off_the_slowest();
    crowded_.wait_for(lock, kLook, [this] { return stopping_; });
  }
}

void Connections::cut_off_the_slowest() {
  Connection* slowest = nullptr;
  for (Connection& connection : connections_) {
    if (connection.waiting_since == 0) continue;
    if (!slowest || connection.waiting_since < slowest->waiting_since) slowest = &connection;
  }
  if (!slowest) return;
  // Its thread, which is in poll(2), sees the end of the connection. It is not chosen again meanwhile.
  slowest->waiting_since = 0;
  ::shutdown(slowest->socket, SHUT_RDWR);
}

Connections::Entry::Entry(Connections& owner, int socket) : owner_(owner) {
  const std::lock_guard lock(owner_.mutex_);
  place_ = owner_.connections_.emplace(owner_.connections_.end());
  place_->socket = socket;
  if (owner_.stopping_) ::shutdown(socket, SHUT_RDWR);
}

Connections::Entry::~Entry() {
  const std::lock_guard lock(owner_.mutex_);
  owner_.connections_.erase(place_);
}

}  // namespace reelfarm::http
