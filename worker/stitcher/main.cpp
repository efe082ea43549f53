// reelfarm-stitcher: windows to videos.
#include <signal.h>
#include <unistd.h>

#include <exception>
#include <thread>

#include "logging/log.hpp"
#include "queue/errors.hpp"
#include "worker/stitcher/options.hpp"

namespace {

constexpr const char* kProgram = "stitcher";
constexpr int kBadInput = 2;
constexpr int kFarmUnreachable = 3;

sigset_t termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

int run(int argc, char** argv) {
  using namespace reelfarm;
  auto command = worker::read_stitcher_options(argc, argv);
  if (!command) return 0;
  logging::start(kProgram, command->log_format);
  // Blocked before any thread exists, so that every thread inherits it and only sigwait sees them.
  const sigset_t signals = termination_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  worker::StitcherService service(std::move(command->stitcher));
  std::exception_ptr failure;
  std::thread work([&] {
    try {
      service.run();
    } catch (...) {
      failure = std::current_exception();
      ::kill(::getpid(), SIGTERM);  // Wakes sigwait below.
    }
  });
  int signal = 0;
  ::sigwait(&signals, &signal);
  service.stop();
  // A second signal does not wait for the queue.
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  work.join();
  if (failure) std::rethrow_exception(failure);
  return 0;
}

int complain(const char* text, int code) {
  return reelfarm::logging::complain(kProgram, text, code);
}

}  // namespace

int main(int argc, char** argv) {
  reelfarm::logging::start(kProgram);
  try {
    return run(argc, argv);
  } catch (const reelfarm::worker::StitcherOptionError& error) {
    return complain(error.what(), kBadInput);
  } catch (const reelfarm::queue::ConnectionError& error) {
    return complain(error.what(), kFarmUnreachable);
  } catch (const reelfarm::queue::Error& error) {
    return complain(error.what(), kBadInput);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
