#include "bench/farm/page_client.hpp"

#include <httplib.h>

#include <chrono>

namespace reelfarm::bench {

PageClient::PageClient(http::Address address) : address_(std::move(address)), thread_([this] { look(); }) {}

void PageClient::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void PageClient::look() {
  constexpr std::chrono::milliseconds kPause{200};
  httplib::Client client(address_.host, address_.port);
  client.set_keep_alive(true);
  while (!stop_) {
    for (const char* target : {"/api/jobs?limit=50", "/api/groups", "/metrics", "/healthz"}) {
      const auto start = std::chrono::steady_clock::now();
      const auto answer = client.Get(target);
      if (!answer || answer->status != 200) {
        ++failures_;
        continue;
      }
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
      milliseconds_[target].push_back(took.count());
    }
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace reelfarm::bench
