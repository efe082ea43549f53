#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights {

/// One JSON object of a configuration file. Every getter throws WeightError that names the file, the key, the expected
/// type and what was found. A key whose value is null counts as absent, as diffusers and transformers write it.
class Config {
 public:
  /// Reads the whole file; its root must be an object and no object may have a key twice.
  static Config read(const std::filesystem::path& file);

  Config(std::filesystem::path file, nlohmann::json value, std::string where = "");

  const std::filesystem::path& file() const { return file_; }
  const nlohmann::json& json() const { return value_; }

  bool has(std::string_view key) const;

  std::int64_t integer(std::string_view key) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  /// As integer(), and refuses values outside [low, high].
  int integer_between(std::string_view key, int fallback, int low, int high) const;
  double number(std::string_view key) const;
  double number(std::string_view key, double fallback) const;
  std::string text(std::string_view key) const;
  std::string text(std::string_view key, std::string fallback) const;
  bool flag(std::string_view key) const;
  bool flag(std::string_view key, bool fallback) const;
  std::vector<std::int64_t> integers(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;

  /// The object under `key`.
  Config object(std::string_view key) const;

  /// Throws for a key that is not in `known`, with the nearest known key.
  void check_keys(std::initializer_list<std::string_view> known) const;

  /// Throws WeightError "weights: FILE: "KEY": MESSAGE, found VALUE".
  [[noreturn]] void fail(std::string_view key, const std::string& message) const;

 private:
  const nlohmann::json& at(std::string_view key, const char* expected) const;

  std::filesystem::path file_;
  nlohmann::json value_;
  std::string where_;  // path of keys from the root of the file, "a.b."
};

}  // namespace reelfarm::weights
