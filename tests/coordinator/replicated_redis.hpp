#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "queue/detail/redis_connection.hpp"
#include "queue/private_redis.hpp"
#include "tests/support/fake_redis.hpp"

namespace reelfarm::test {

/// A primary and its replica behind one address, which can be moved from one to the other.
class ReplicatedRedis {
 public:
  explicit ReplicatedRedis(const std::filesystem::path& folder)
      : port_(free_port()),
        primary_(options(folder / "primary", port_)),
        replica_(options(folder / "replica", 0)),
        address_(folder / "address.sock") {
    // By default a primary waits 5 s for more replicas before the first copy.
    send(primary_, {"CONFIG", "SET", "repl-diskless-sync-delay", "0"});
    send(replica_, {"REPLICAOF", "127.0.0.1", std::to_string(port_)});
    await_replica();
    point_at(primary_);
  }

  std::string url() const { return "unix://" + address_.string(); }

  /// The replica has all that was written so far, and gets nothing of what comes.
  void stop_replication() {
    await_replica();
    send(replica_, {"REPLICAOF", "NO", "ONE"});
  }

  /// The primary dies, and the replica is at its address.
  void fail_over() {
    primary_.kill();
    point_at(replica_);
  }

 private:
  static int free_port() {
    const FakeRedis listener([](const std::string&) { return ""; });
    return queue::RedisUrl::parse(listener.url()).port;
  }
  static queue::PrivateRedisOptions options(const std::filesystem::path& folder, int port) {
    queue::PrivateRedisOptions options;
    options.directory = folder;
    options.port = port;
    options.fsync = queue::AppendFsync::no;
    return options;
  }
  static queue::detail::ConnectionOptions connection_options(const queue::PrivateRedis& server) {
    queue::detail::ConnectionOptions options;
    options.url = queue::RedisUrl::parse(server.url());
    options.command_timeout = std::chrono::seconds(30);
    return options;
  }
  static queue::detail::ReplyPtr send(const queue::PrivateRedis& server, const queue::detail::Arguments& command) {
    return queue::detail::RedisConnection(connection_options(server)).command(command);
  }
  void await_replica() const {
    // WAIT waits for the writes of its own connection, so there must be one.
    queue::detail::RedisConnection connection(connection_options(primary_));
    connection.command({"SET", "replicated", "1"});
    const auto acknowledged = connection.command({"WAIT", "1", "20000"});
    ASSERT_EQ(queue::detail::Reply(acknowledged.get()).integer(), 1) << "the replica did not follow";
  }
  void point_at(const queue::PrivateRedis& server) const {
    const auto socket = queue::RedisUrl::parse(server.url()).socket_path;
    const auto next = address_.string() + ".next";
    std::filesystem::create_symlink(socket, next);
    std::filesystem::rename(next, address_);
  }

  int port_;
  queue::PrivateRedis primary_;
  queue::PrivateRedis replica_;
  std::filesystem::path address_;
};

}  // namespace reelfarm::test
