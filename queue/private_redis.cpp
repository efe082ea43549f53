#include "queue/private_redis.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "posix/descriptor.hpp"
#include "posix/start_program.hpp"
#include "queue/detail/random.hpp"
#include "queue/detail/redis_connection.hpp"
#include "queue/errors.hpp"

namespace reelfarm::queue {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kMaxSocketPath = 107;  // sun_path without its terminating zero
constexpr std::chrono::milliseconds kPoll(5);

std::string system_text(int error) {
  return std::strerror(error);
}

const char* word(AppendFsync fsync) {
  switch (fsync) {
    case AppendFsync::always:
      return "always";
    case AppendFsync::everysec:
      return "everysec";
    case AppendFsync::no:
      return "no";
  }
  return "always";
}

/// A redis.conf string: double quotes, with everything unusual as \xHH.
std::string quoted(const std::string& text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f || c == '"' || c == '\\') {
      out += std::string("\\x") + kHex[byte >> 4] + kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string percent_encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    char escaped[4];
    std::snprintf(escaped, sizeof escaped, "%%%02x", static_cast<unsigned char>(c));
    out += std::isalnum(static_cast<unsigned char>(c)) ? std::string(1, c) : std::string(escaped);
  }
  return out;
}

std::string configuration(const PrivateRedisOptions& options, const std::string& socket) {
  std::ostringstream text;
  if (options.every_interface && options.password.empty()) {
    throw ServerStartError("a Redis that other machines may reach needs a password");
  }
  text << (options.every_interface ? "bind * -::*" : "bind 127.0.0.1") << "\nprotected-mode yes\nport " << options.port
       << "\nunixsocket " << quoted(socket) << "\nunixsocketperm 600\ndir " << quoted(options.directory.string())
       << "\nlogfile " << quoted((options.directory / "redis.log").string()) << "\ndaemonize no\nappendonly "
       << (options.append_only ? "yes" : "no") << "\nappendfsync " << word(options.fsync) << "\nmaxmemory-policy "
       << options.maxmemory_policy
       // The append-only file is the only copy: snapshots beside it would double the writes.
       << "\nsave \"\"\nset-proc-title no\n";
  if (!options.password.empty()) text << "requirepass " << quoted(options.password) << "\n";
  return text.str();
}

void write_private_file(const std::filesystem::path& path, const std::string& text) {
  const posix::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw ServerStartError("cannot write " + path.string() + ": " + system_text(errno));
  }
}

/// Two servers on one append-only file would ruin it. The server inherits the descriptor, so the lock lives as long as
/// it.
posix::Descriptor lock_directory(const std::filesystem::path& directory, Clock::time_point deadline) {
  const std::filesystem::path path = directory / "redis.lock";
  posix::Descriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) throw ServerStartError("cannot open " + path.string() + ": " + system_text(errno));
  while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK || Clock::now() >= deadline) {
      const std::string reason = system_text(errno);
      throw ServerStartError("another redis-server uses " + directory.string() + " (lock " + path.string() + ": " +
                             reason + ")");
    }
    std::this_thread::sleep_for(kPoll);  // a killed server's last child may hold it for a moment
  }
  return lock;
}

}  // namespace

std::string kept_password(const std::filesystem::path& file) {
  constexpr std::size_t kLength = 32;
  std::ifstream stream(file);
  std::string password;
  if (std::getline(stream, password) && password.size() == kLength) return password;
  password = detail::random_word(kLength);
  write_private_file(file, password + "\n");
  return password;
}

PrivateRedis::PrivateRedis(PrivateRedisOptions options) : options_(std::move(options)) {
  std::error_code error;
  std::filesystem::create_directories(options_.directory, error);
  if (error) {
    throw ServerStartError("cannot make the folder " + options_.directory.string() + ": " + error.message());
  }
  options_.directory = std::filesystem::absolute(options_.directory);
  socket_ = options_.directory / "redis.sock";
  if (socket_.string().size() > kMaxSocketPath || options_.every_interface) {
    socket_ = std::filesystem::temp_directory_path() / ("reelfarm-" + detail::random_word(12) + ".sock");
  }
  std::string path;
  for (const char c : socket_.string()) path += c == '%' ? "%25" : c == '?' ? "%3f" : std::string(1, c);
  url_ = "unix://" + path;
  if (!options_.password.empty()) url_ += "?password=" + percent_encoded(options_.password);
  start();
}

std::string PrivateRedis::url_for_others(const std::string& host) const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return "redis://:" + percent_encoded(options_.password) + "@" + (is_ipv6 ? "[" + host + "]" : host) + ":" +
         std::to_string(options_.port);
}

PrivateRedis::PrivateRedis(PrivateRedis&& other) noexcept
    : options_(std::move(other.options_)),
      socket_(std::move(other.socket_)),
      url_(std::move(other.url_)),
      pid_(std::exchange(other.pid_, -1)) {}

PrivateRedis::~PrivateRedis() {
  if (pid_ > 0) stop();
}

void PrivateRedis::start() {
  if (running()) return;
  const std::filesystem::path config = options_.directory / "redis.conf";
  write_private_file(config, configuration(options_, socket_.string()));
  const posix::Descriptor lock = lock_directory(options_.directory, Clock::now() + options_.lock_patience);
  const std::filesystem::path log_path = options_.directory / "redis.log";
  const posix::Descriptor log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log) throw ServerStartError("cannot open " + log_path.string() + ": " + system_text(errno));
  try {
    const posix::Descriptor input = posix::null_input();
    pid_ = posix::start_program({.words = {options_.program, config.string()},
                                 .streams = {input.get(), log.get(), log.get()},
                                 // Ctrl-C in the terminal asks the farm to drain, which still needs its Redis.
                                 .kinship = posix::Kinship::own_session,
                                 .death_signal = options_.die_with_parent ? SIGTERM : 0,
                                 .kept = lock.get()});
  } catch (const std::system_error& error) {
    const bool missing = error.code() == std::errc::no_such_file_or_directory;
    throw ServerStartError(std::string(error.what()) + (missing ? "; install the package redis-server" : ""));
  }
  try {
    wait_until_ready();
  } catch (...) {
    kill();
    throw;
  }
}

void PrivateRedis::wait_until_ready() {
  const auto deadline = Clock::now() + options_.start_timeout;
  detail::ConnectionOptions connection;
  connection.url = RedisUrl::parse(url_);
  connection.loading_timeout = options_.start_timeout;
  std::string last = "no answer";
  while (Clock::now() < deadline) {
    if (!running()) {
      throw ServerStartError(options_.program + " ended at once; the end of its log:\n" + log_tail());
    }
    try {
      detail::RedisConnection(connection).connect();
      return;
    } catch (const ConnectionError& error) {
      last = error.what();
    }
    std::this_thread::sleep_for(kPoll);
  }
  throw ServerStartError(options_.program + " in " + options_.directory.string() + " did not answer within " +
                         std::to_string(options_.start_timeout.count()) + " ms: " + last + "\n" + log_tail());
}

bool PrivateRedis::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) pid_ = -1;
  return pid_ > 0;
}

void PrivateRedis::stop(std::chrono::milliseconds grace) {
  if (!running()) return;
  ::kill(pid_, SIGTERM);
  const auto deadline = Clock::now() + grace;
  while (running()) {
    if (Clock::now() >= deadline) {
      kill();
      return;
    }
    std::this_thread::sleep_for(kPoll);
  }
}

void PrivateRedis::kill() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

pid_t PrivateRedis::release() {
  return std::exchange(pid_, -1);
}

std::string PrivateRedis::log_tail() const {
  std::ifstream log(options_.directory / "redis.log");
  std::stringstream text;
  text << log.rdbuf();
  const std::string all = text.str();
  constexpr std::size_t kTail = 1500;
  return all.size() > kTail ? all.substr(all.size() - kTail) : all;
}

}  // namespace reelfarm::queue
