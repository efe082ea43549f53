#pragma once

#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "coordinator/http/token.hpp"
#include "coordinator/notify/news.hpp"

namespace reelfarm::notify {

/// The file that says whom to tell is wrong; the text says how.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Somebody who is told: by a POST to `webhook`, or by `command`, which gets the same on its standard input.
struct Receiver {
  std::string name;
  std::set<NewsKind> kinds;        ///< that it hears of
  std::set<std::string> projects;  ///< empty: all
  std::string webhook;             ///< http:// or https:// URL; empty: there is a command
  http::Token secret;              ///< signs what is posted; not set: it is not signed
  std::vector<std::string> command;
  bool as_text = false;  ///< the command gets the line for people, not the JSON object: mail

  bool wants(const News& news) const;
};

struct Config {
  std::vector<Receiver> receivers;
  Patience patience;
};

/// Reads the file of --notify (docs/notifications.md). Throws ConfigError naming the file and what is wrong: unknown
/// keys, no or two ways to tell, a URL that is none, a secret's file that others may read.
Config read_config(const std::filesystem::path& file);

}  // namespace reelfarm::notify
