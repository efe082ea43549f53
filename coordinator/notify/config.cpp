#include "coordinator/notify/config.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "coordinator/http/errors.hpp"
#include "coordinator/notify/webhook.hpp"

namespace reelfarm::notify {
namespace {

using nlohmann::json;

constexpr std::array kKinds = {NewsKind::finished, NewsKind::failed, NewsKind::stalled, NewsKind::idle};

void refuse_unknown_keys(const json& object, const std::set<std::string>& known, const std::string& where) {
  if (!object.is_object()) throw ConfigError(where + ": must be an object");
  for (const auto& [key, value] : object.items()) {
    if (known.contains(key)) continue;
    std::string list;
    for (const std::string& word : known) list += (list.empty() ? "" : ", ") + word;
    throw ConfigError(where + ": unknown key '" + key + "', known are " + list);
  }
}

std::string text_of(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) return "";
  if (!found->is_string() || found->get<std::string>().empty()) throw ConfigError(where + ": " + key + " must be text");
  return *found;
}

std::vector<std::string> texts_of(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  const bool texts = found->is_array() && !found->empty() &&
                     std::all_of(found->begin(), found->end(), [](const json& word) { return word.is_string(); });
  if (!texts) throw ConfigError(where + ": " + key + " must be a list of texts, and not empty");
  return *found;
}

NewsKind kind_of(const std::string& word, const std::string& where) {
  for (const NewsKind kind : kKinds) {
    if (to_string(kind) == word) return kind;
  }
  throw ConfigError(where + ": events has '" + word + "', known are finished, failed, stalled, idle");
}

std::chrono::milliseconds minutes_of(const json& object, const char* key, std::chrono::milliseconds fallback,
                                     const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) return fallback;
  constexpr double kMonth = 60 * 24 * 31;
  // Written so that a NaN fails too.
  if (!found->is_number() || !(*found > 0 && *found <= kMonth)) {
    throw ConfigError(where + ": " + key + " must be a number above 0 and up to " + std::to_string(60 * 24 * 31));
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(found->get<double>() * 60'000));
}

http::Token secret_from(const std::filesystem::path& file, const std::string& where) try {
  return http::Token::from_file(file);
} catch (const http::SetupError& error) {
  throw ConfigError(where + ": secret_file: " + error.what());
}

Receiver receiver_from(const json& object, const std::filesystem::path& folder, const std::string& where) {
  refuse_unknown_keys(object, {"name", "events", "projects", "webhook", "secret_file", "command", "mail"}, where);
  Receiver receiver;
  receiver.name = text_of(object, "name", where);
  if (receiver.name.empty()) throw ConfigError(where + ": name is missing");
  const std::string of = where + " (" + receiver.name + ")";
  for (const std::string& word : texts_of(object, "events", of)) receiver.kinds.insert(kind_of(word, of));
  if (receiver.kinds.empty()) receiver.kinds.insert(kKinds.begin(), kKinds.end());
  for (const std::string& project : texts_of(object, "projects", of)) receiver.projects.insert(project);
  receiver.webhook = text_of(object, "webhook", of);
  receiver.command = texts_of(object, "command", of);
  const std::string mail = text_of(object, "mail", of);
  const std::string secret_file = text_of(object, "secret_file", of);
  const int ways = (receiver.webhook.empty() ? 0 : 1) + (receiver.command.empty() ? 0 : 1) + (mail.empty() ? 0 : 1);
  if (ways != 1) throw ConfigError(of + ": give one of webhook, command and mail");
  if (!receiver.webhook.empty()) check_webhook(receiver.webhook, of);
  if (!secret_file.empty()) {
    if (receiver.webhook.empty()) throw ConfigError(of + ": secret_file is for a webhook");
    receiver.secret = secret_from(folder / secret_file, of);
  }
  if (!mail.empty()) {
    if (mail.starts_with('-')) throw ConfigError(of + ": mail '" + mail + "' is no address");
    receiver.command = {"mail", "-s", "reelfarm", mail};
    receiver.as_text = true;
  }
  return receiver;
}

}  // namespace

bool Receiver::wants(const News& news) const {
  if (!kinds.contains(news.kind)) return false;
  // What is about the whole farm is about each of its projects.
  return projects.empty() || news.scope == "farm" || projects.contains(news.project);
}

Config read_config(const std::filesystem::path& file) {
  const std::string where = "--notify " + file.string();
  std::ifstream in(file);
  if (!in) throw ConfigError(where + ": cannot be opened");
  json document;
  try {
    document = json::parse(in, nullptr, true, /*ignore_comments=*/true);
  } catch (const json::exception& error) {
    throw ConfigError(where + ": " + error.what());
  }
  refuse_unknown_keys(document, {"receivers", "stalled_minutes", "idle_minutes"}, where);
  Config config;
  config.patience.stalled = minutes_of(document, "stalled_minutes", config.patience.stalled, where);
  config.patience.idle = minutes_of(document, "idle_minutes", config.patience.idle, where);
  const auto receivers = document.find("receivers");
  if (receivers == document.end() || !receivers->is_array() || receivers->empty()) {
    throw ConfigError(where + ": receivers must be a list, and not empty");
  }
  std::set<std::string> names;
  for (std::size_t index = 0; index < receivers->size(); ++index) {
    const std::string place = where + ": receiver " + std::to_string(index + 1);
    config.receivers.push_back(receiver_from((*receivers)[index], file.parent_path(), place));
    if (!names.insert(config.receivers.back().name).second) {
      throw ConfigError(place + ": there is another '" + config.receivers.back().name + "'");
    }
  }
  return config;
}

}  // namespace reelfarm::notify
