#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "coordinator/http/socket_stream.hpp"

namespace reelfarm::http {

/// The connections being served, each by a thread of its own, of which there are at most so many. While all are taken
/// and more wait for one, those whose clients have kept their thread waiting longest are cut off: clients that hold
/// connections and send nothing cannot keep others out. Thread-safe.
class Connections {
 public:
  explicit Connections(std::size_t max);
  ~Connections() { stop(); }

  /// Runs `serve` in a thread, as soon as one is free. False: too many wait already; it was not taken.
  bool enqueue(std::function<void()> serve);
  /// Ends every connection and waits for its thread.
  void stop();

  /// Registers the calling thread's connection for as long as it lives.
  class Entry {
   public:
    Entry(Connections& owner, int socket);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    Connection& connection() { return *place_; }

   private:
    Connections& owner_;
    std::list<Connection>::iterator place_;
  };

 private:
  void work();
  void make_room();
  void cut_off_the_slowest();

  const std::size_t max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable crowded_;
  std::deque<std::function<void()>> pending_;
  std::list<Connection> connections_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::thread room_maker_;
};

}  // namespace reelfarm::http
