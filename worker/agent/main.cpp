// reelfarm-worker: the agent of one worker group.
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <system_error>

#include "logging/log.hpp"
#include "queue/data_folder.hpp"
#include "queue/errors.hpp"
#include "queue/job_store.hpp"
#include "worker/agent/bundle_facts.hpp"
#include "worker/agent/options.hpp"
#include "worker/agent/tokenizer_copies.hpp"
#include "worker/protocol/line_channel.hpp"

namespace {

constexpr const char* kProgram = "worker";
constexpr int kBadInput = 2;
constexpr int kFarmUnreachable = 3;

/// SIGTERM and SIGINT as a descriptor that becomes readable.
reelfarm::posix::Descriptor termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  reelfarm::posix::Descriptor descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) throw std::system_error(errno, std::generic_category(), "signalfd");
  return descriptor;
}

std::uint64_t bytes_below(const std::filesystem::path& folder) {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

/// Without them jobs are accepted all the same, and a prompt that is too long fails when the ranks read it.
void offer_tokenizers(const reelfarm::worker::WorkerCommand& command, const reelfarm::queue::BundleLimits& limits,
                      reelfarm::queue::JobStore& store) {
  const reelfarm::queue::DataFolder data(command.agent.data);
  if (!data.complaint(store.farm_id()).empty()) return;
  try {
    reelfarm::worker::copy_tokenizers(command.bundle, limits, data);
  } catch (const std::filesystem::filesystem_error& error) {
    spdlog::warn("tokenizers of {} not copied: {}", limits.name, error.what());
  }
}

/// Tries once a second until `limit` has passed, and then throws what went wrong. False: a signal came first.
bool wait_for_farm(const reelfarm::worker::WorkerCommand& command, int signals) {
  constexpr int kPauseMs = 1000;
  const auto limit = std::chrono::steady_clock::now() + command.wait_for_farm;
  for (bool told = false;; told = true) {
    try {
      reelfarm::queue::JobStore(command.agent.store).farm_id();
      return true;
    } catch (const reelfarm::queue::ConnectionError& error) {
      if (std::chrono::steady_clock::now() >= limit) throw;
      if (!told) spdlog::info("waiting for the farm: {}", error.what());
    }
    pollfd asked{signals, POLLIN, 0};
    if (::poll(&asked, 1, kPauseMs) > 0) return false;
  }
}

int run(int argc, char** argv) {
  using namespace reelfarm;
  auto command = worker::read_options(argc, argv);
  if (!command) return 0;
  logging::start(kProgram, command->log_format);
  // Blocked before any thread exists, so that every thread inherits it.
  const posix::Descriptor signals = termination_signals();
  const queue::BundleLimits limits = worker::inspect_bundle(command->bundle_program, command->bundle);
  command->agent.deadlines.load_bytes = bytes_below(command->bundle);
  if (!wait_for_farm(*command, signals.get())) return 0;
  {
    queue::JobStore store(command->agent.store);
    offer_tokenizers(*command, limits, store);
  }
  command->agent.bundle = limits;
  worker::Agent agent(std::move(command->agent));
  return agent.run(signals.get());
}

}  // namespace

int main(int argc, char** argv) {
  using reelfarm::logging::complain;
  reelfarm::logging::start(kProgram);
  try {
    return run(argc, argv);
  } catch (const reelfarm::worker::OptionError& error) {
    return complain(kProgram, error.what(), kBadInput);
  } catch (const reelfarm::worker::BundleRefused& error) {
    return complain(kProgram, error.what(), kBadInput);
  } catch (const reelfarm::queue::ConnectionError& error) {
    return complain(kProgram, error.what(), kFarmUnreachable);
  } catch (const reelfarm::queue::Error& error) {
    return complain(kProgram, error.what(), kBadInput);
  } catch (const std::exception& error) {
    return complain(kProgram, error.what(), 1);
  }
}
