// reelfarm-stitcher: windows to videos.
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <thread>

#include "queue/errors.hpp"
#include "worker/stitcher/options.hpp"

namespace {

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
  auto options = worker::read_stitcher_options(argc, argv);
  if (!options) return 0;
  // Blocked before any thread exists, so that every thread inherits it and only sigwait sees them.
  const sigset_t signals = termination_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  worker::StitcherService service(std::move(*options));
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
  std::fprintf(stderr, "reelfarm-stitcher: %s\n", text);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("stitcher"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l %v");
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
