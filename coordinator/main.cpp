// reelfarm-coordinator: plans what clients submit and looks after leases.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <thread>

#include "coordinator/http/errors.hpp"
#include "coordinator/options.hpp"
#include "logging/log.hpp"
#include "pipeline/artifacts/errors.hpp"
#include "queue/errors.hpp"
#include "queue/host_name.hpp"

namespace {

constexpr const char* kProgram = "coordinator";
constexpr int kBadInput = 2;
constexpr int kFarmUnreachable = 3;

sigset_t termination_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// "Every address of this machine" is none that a browser opens.
std::string url_for_others(reelfarm::http::Address address) {
  if (address.host == "0.0.0.0" || address.host == "::") address.host = reelfarm::queue::host_name();
  return address.url();
}

int run(int argc, char** argv) {
  using namespace reelfarm;
  auto options = coordinator::read_options(argc, argv);
  if (!options) return 0;
  logging::start(kProgram, options->log_format);
  // Blocked before any thread exists, so that every thread inherits it and only sigwait sees them.
  const sigset_t signals = termination_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::optional<page::Page> page;
  std::string page_url;
  if (options->page) {
    page.emplace(*options->page);
    page_url = url_for_others(page->address());
    options->coordinator.page_url = page_url;
  }
  coordinator::Coordinator coordinator(std::move(options->coordinator));
  if (page) {
    page->start();
    spdlog::info("page={}", page_url);
  }
  std::optional<notify::Notifier> notifier;
  if (options->notify) notifier.emplace(std::move(*options->notify));
  std::jthread server([&] { coordinator.run(); });
  int signal = 0;
  ::sigwait(&signals, &signal);
  spdlog::info("signal={} state=stopping", signal);
  if (page) page->stop();
  notifier.reset();
  coordinator.stop();
  server.join();
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
  } catch (const reelfarm::queue::ConnectionError& error) {
    return complain(error.what(), kFarmUnreachable);
  } catch (const reelfarm::coordinator::OptionError& error) {
    return complain(error.what(), kBadInput);
  } catch (const reelfarm::notify::ConfigError& error) {
    return complain(error.what(), kBadInput);
  } catch (const reelfarm::http::SetupError& error) {
    return complain(error.what(), kBadInput);
  } catch (const reelfarm::queue::Error& error) {
    return complain(error.what(), kBadInput);
  } catch (const reelfarm::artifacts::StorageError& error) {
    return complain(error.what(), kBadInput);
  } catch (const std::exception& error) {
    return complain(error.what(), 1);
  }
}
