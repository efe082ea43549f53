#include "worker/agent/dead_sockets.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/temporary_folder.hpp"
#include "worker/protocol/line_channel.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

/// A bound socket whose owner is gone.
fs::path dead_socket(const fs::path& path) {
  const posix::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return path;
}

void make_old(const fs::path& path) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
}

TEST(DeadSockets, OnlyOldOnesWithoutAListenerGo) {
  const test::TemporaryFolder folder;
  const fs::path dead = dead_socket(folder / "reelfarm-dead.sock");
  const fs::path young = dead_socket(folder / "reelfarm-young.sock");
  const fs::path other = dead_socket(folder / "other.sock");
  const Listener alive(folder / "reelfarm-alive.sock");
  const fs::path file = folder / "reelfarm-file.sock";
  std::ofstream(file) << "no socket";
  for (const fs::path& path : {dead, other, alive.path(), file}) make_old(path);

  // More often than the listener has room for those who look, as when it is stopped: nobody waits for it.
  for (int look = 0; look < 10; ++look) remove_dead_sockets(folder.path());
  EXPECT_FALSE(fs::exists(dead));
  EXPECT_TRUE(fs::exists(young));
  EXPECT_TRUE(fs::exists(other));
  EXPECT_TRUE(fs::exists(alive.path()));
  EXPECT_TRUE(fs::exists(file));
}

}  // namespace
}  // namespace reelfarm::worker
