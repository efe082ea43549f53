#include "pipeline/weights/detail/strict_json.hpp"

#include <set>
#include <vector>

#include "pipeline/weights/detail/mapped_file.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

nlohmann::json parse_strict_json(std::string_view text, const std::string& what) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> open_objects;
  const auto watch = [&](int depth, Event event, nlohmann::json& parsed) {
    if (depth > kMaxDepth) throw WeightError(what + ": nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (event == Event::object_start) open_objects.emplace_back();
    if (event == Event::object_end) open_objects.pop_back();
    if (event == Event::key && !open_objects.back().insert(parsed.get<std::string>()).second)
      throw WeightError(what + ": key " + shown(parsed) + " occurs twice in one object");
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), watch);
  } catch (const nlohmann::json::exception& error) {
    throw WeightError(what + ": not valid JSON: " + error.what());
  }
}

nlohmann::json read_strict_json(const std::filesystem::path& file, std::size_t max_bytes) {
  const MappedFile mapping(file);
  const auto bytes = mapping.bytes();
  if (bytes.size() > max_bytes)
    throw WeightError("weights: " + file.string() + ": " + std::to_string(bytes.size()) + " bytes, expected at most " +
                      std::to_string(max_bytes));
  return parse_strict_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, "weights: " + file.string());
}

std::string shown(const nlohmann::json& value) {
  constexpr std::size_t kLongest = 60;
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

}  // namespace reelfarm::weights::detail
