#include "pipeline/tokenizers/detail/clip_files.hpp"

#include <fstream>
#include <string>

#include "pipeline/tokenizers/detail/json_access.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

using nlohmann::json;

constexpr const char* kStart = "<|startoftext|>";
constexpr const char* kEnd = "<|endoftext|>";

// Source: Radford et al., CLIP simple_tokenizer.py, with the special tokens first as transformers has it.
constexpr const char* kPattern =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+)";

json read_merges(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw TokenizerError("tokenizers: cannot open " + file.string());
  json merges = json::array();
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
    merges.push_back(line);
  }
  return merges;
}

json special_token(const json& vocabulary, const char* content) {
  return {{"id", id_at(vocabulary, content)}, {"content", content}, {"special", true}, {"normalized", false}};
}

}  // namespace

json clip_description(const std::filesystem::path& folder) {
  json vocabulary = read_json(folder / "vocab.json");
  json description;
  description["added_tokens"] = {special_token(vocabulary, kStart), special_token(vocabulary, kEnd)};
  description["normalizer"] = {{"type", "Sequence"},
                               {"normalizers",
                                {{{"type", "NFC"}},
                                 {{"type", "Replace"}, {"pattern", {{"Regex", R"(\s+)"}}}, {"content", " "}},
                                 {{"type", "Lowercase"}}}}};
  description["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers",
       {{{"type", "Split"}, {"pattern", {{"Regex", kPattern}}}, {"behavior", "Removed"}, {"invert", true}},
        {{"type", "ByteLevel"}, {"add_prefix_space", false}}}}};
  description["post_processor"] = {{"type", "RobertaProcessing"},
                                   {"cls", json::array({kStart, vocabulary[kStart]})},
                                   {"sep", json::array({kEnd, vocabulary[kEnd]})}};
  description["model"] = {{"type", "BPE"}, {"unk_token", kEnd}, {"end_of_word_suffix", "</w>"}};
  description["model"]["merges"] = read_merges(folder / "merges.txt");
  description["model"]["vocab"] = std::move(vocabulary);
  return description;
}

}  // namespace reelfarm::tokenizers::detail
