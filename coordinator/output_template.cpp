#include "coordinator/output_template.hpp"

#include <functional>

#include "coordinator/errors.hpp"
#include "coordinator/near_match.hpp"
#include "coordinator/text_check.hpp"

namespace reelfarm::coordinator {
namespace {

constexpr std::size_t kMaxPathCharacters = 3000;
const std::vector<std::string> kWords = {"project", "name", "seed", "take", "job", "bundle", "variant"};

std::string substitute(const std::string& output, const std::function<std::string(const std::string&)>& value) {
  std::string text;
  for (std::size_t at = 0; at < output.size();) {
    if (output[at] != '{') {
      text += output[at++];
      continue;
    }
    const std::size_t end = output.find('}', at);
    if (end == std::string::npos) throw Rejected("output '" + output + "' has a { without a }");
    text += value(output.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return text;
}

std::string safe_part(std::string text) {
  for (char& character : text) {
    if (character == '/' || character == '\\' || static_cast<unsigned char>(character) < 0x20 || character == 0x7f) {
      character = '_';
    }
  }
  if (!text.empty() && (text[0] == '.' || text[0] == '-')) text[0] = '_';
  return text;
}

}  // namespace

void check_output_template(const std::string& output) {
  check_text("the output path", output, kMaxPathCharacters, false);
  const std::string example = substitute(output, [&](const std::string& word) -> std::string {
    if (near_match(word, kWords) != word) {
      throw Rejected("output '" + output + "' has the unknown {" + word + "}" + did_you_mean(word, kWords) +
                     " (known: {project} {name} {seed} {take} {job} {bundle} {variant})");
    }
    return "x";
  });
  const std::filesystem::path path(example);
  if (!path.is_absolute()) throw Rejected("output '" + output + "' is not an absolute path");
  for (const auto& part : path) {
    if (part == "..") throw Rejected("output '" + output + "' has a '..'");
  }
  if (path.has_filename() && path.extension() != ".mp4") {
    throw Rejected("output '" + output + "' must end in .mp4, the kind of file this version makes, or in a slash");
  }
}

std::filesystem::path expand_output(const std::string& output, const std::string& job, const queue::JobSpec& spec) {
  const std::string text = substitute(output, [&](const std::string& word) -> std::string {
    if (word == "project") return safe_part(spec.project.empty() ? "default" : spec.project);
    if (word == "name") return safe_part(spec.name.empty() ? job : spec.name);
    if (word == "seed") return std::to_string(spec.seed);
    if (word == "take") return std::to_string(spec.take);
    if (word == "bundle") return safe_part(spec.bundle.empty() ? "bundle" : spec.bundle);
    if (word == "variant") return std::to_string(spec.variant_index);
    return job;
  });
  std::filesystem::path path(text);
  return path.has_filename() ? path : path / (safe_part(spec.name.empty() ? job : spec.name) + ".mp4");
}

}  // namespace reelfarm::coordinator
