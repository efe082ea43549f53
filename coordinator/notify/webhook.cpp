#include "coordinator/notify/webhook.hpp"

#include <httplib.h>

#include <algorithm>
#include <chrono>

#include "coordinator/notify/config.hpp"

namespace reelfarm::notify {
namespace {

struct Place {
  std::string server;  ///< scheme, host, port
  std::string path;
};

Place place_of(const std::string& url) {
  const std::size_t host = url.find("://") + 3;
  const std::size_t path = std::min(url.find_first_of("/?", host), url.size());
  const std::string rest = url.substr(path);
  return {url.substr(0, path), rest.starts_with('/') ? rest : "/" + rest};
}

}  // namespace

void check_webhook(const std::string& url, const std::string& where) {
  const bool known = url.starts_with("http://") || url.starts_with("https://");
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c <= '~'; });
  const std::string server = known && plain ? place_of(url).server : "";
  const std::string host = server.substr(std::min(server.size(), server.find("://") + 3));
  if (host.empty() || host.starts_with(':') || host.find('@') != std::string::npos || url.find('#') < url.size()) {
    throw ConfigError(where + ": webhook must be http:// or https:// with a host, without a user and a fragment");
  }
}

std::string post_notice(const Receiver& receiver, const std::string& id, const std::string& body) {
  const Place place = place_of(receiver.webhook);
  httplib::Client client(place.server);
  client.set_connection_timeout(5);
  client.set_read_timeout(10);
  client.set_write_timeout(5);
  const auto time = std::to_string(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  httplib::Headers headers = {{"Reelfarm-Id", id}, {"Reelfarm-Time", time}};
  if (receiver.secret.is_set()) {
    headers.emplace("Reelfarm-Signature", "sha256=" + receiver.secret.sign(time + "." + body));
  }
  const httplib::Result answer = client.Post(place.path, headers, body, "application/json");
  // The address may hold a key of its own, so it is not repeated.
  if (!answer) return "no answer: " + httplib::to_string(answer.error());
  if (answer->status / 100 != 2) return "answered with status " + std::to_string(answer->status);
  return "";
}

}  // namespace reelfarm::notify
