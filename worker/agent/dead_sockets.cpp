#include "worker/agent/dead_sockets.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

#include "posix/descriptor.hpp"

namespace reelfarm::worker {
namespace {

namespace fs = std::filesystem;

/// Never waits: an agent that is stopped does not take connections, and its queue of them may be full.
bool nobody_listens(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) return false;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  const posix::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return socket && ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
         errno == ECONNREFUSED;
}

}  // namespace

void remove_dead_sockets(const fs::path& folder) {
  // One that is just being made is bound before it listens.
  constexpr auto kYoung = std::chrono::minutes(1);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("reelfarm-") || !name.ends_with(".sock") || !entry.is_socket(error)) continue;
    const auto written = entry.last_write_time(error);
    if (error || fs::file_time_type::clock::now() - written < kYoung) continue;
    if (nobody_listens(entry.path())) fs::remove(entry.path(), error);
  }
}

}  // namespace reelfarm::worker
