#include "worker/agent/bundle_facts.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "queue/codec.hpp"
#include "queue/errors.hpp"
#include "worker/protocol/line_channel.hpp"

namespace reelfarm::worker {

queue::BundleLimits inspect_bundle(const std::filesystem::path& program, const std::filesystem::path& bundle) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const Descriptor reading(ends[0]);
  Descriptor writing(ends[1]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
  std::array<std::string, 4> words{program.string(), "inspect", "--json", bundle.string()};
  std::array<char*, 5> arguments{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), "cannot run " + program.string());
  writing = Descriptor();

  std::string output;
  std::array<char, 4096> piece{};
  for (ssize_t count = 0; (count = ::read(reading.get(), piece.data(), piece.size())) != 0;) {
    if (count > 0) output.append(piece.data(), static_cast<std::size_t>(count));
    if (count < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "reading from reelfarm-bundle");
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  // The program has said on stderr, which is ours, what is wrong.
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    throw BundleRefused("the bundle '" + bundle.string() + "' cannot be used (see above)");
  }
  try {
    return queue::decode_bundle_limits(output);
  } catch (const queue::CodecError& problem) {
    throw BundleRefused(program.string() + " printed something else than a bundle's limits (" + problem.what() +
                        "); are the programs of one version?");
  }
}

}  // namespace reelfarm::worker
