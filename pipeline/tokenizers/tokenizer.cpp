#include "pipeline/tokenizers/tokenizer.hpp"

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "pipeline/tokenizers/detail/added_tokens.hpp"
#include "pipeline/tokenizers/detail/bpe.hpp"
#include "pipeline/tokenizers/detail/byte_alphabet.hpp"
#include "pipeline/tokenizers/detail/clip_files.hpp"
#include "pipeline/tokenizers/detail/json_access.hpp"
#include "pipeline/tokenizers/detail/normalizer.hpp"
#include "pipeline/tokenizers/detail/post_processor.hpp"
#include "pipeline/tokenizers/detail/pre_tokenizer.hpp"
#include "pipeline/tokenizers/detail/utf8.hpp"

namespace reelfarm::tokenizers {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

json part_of(const json& description, const char* key) {
  const auto it = description.find(key);
  return it == description.end() ? json() : *it;
}

bool is_there(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored);
}

json optional_json(const fs::path& file) {
  return is_there(file) ? detail::read_json(file) : json::object();
}

/// A special token is written as its text, or as an object with its content.
std::string special_text(const json& config, const char* key) {
  const auto it = config.find(key);
  if (it == config.end()) return {};
  if (it->is_string()) return it->get<std::string>();
  return it->is_object() ? detail::text_at(*it, "content", "") : std::string();
}

/// As Python's str.strip(), which CLIP's decoding ends with: white space and the four separators U+001C to U+001F.
std::string trimmed(const std::string& text) {
  std::size_t begin = text.size(), end = 0;
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t at = offset;
    const char32_t code_point = detail::next_code_point(text, offset);
    if (detail::is_white_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F)) continue;
    begin = std::min(begin, at);
    end = offset;
  }
  return begin < end ? text.substr(begin, end - begin) : std::string();
}

}  // namespace

struct Tokenizer::Parts {
  explicit Parts(const json& description)
      : normalizer(detail::make_normalizer(part_of(description, "normalizer"))),
        pre_tokenizer(detail::make_pre_tokenizer(part_of(description, "pre_tokenizer"))),
        model(detail::object_at(description, "model")),
        post_processor(detail::read_post_processor(part_of(description, "post_processor"))) {
    for (const json& entry : part_of(description, "added_tokens")) {
      detail::AddedToken token = detail::read_added_token(entry);
      token.id = detail::id_at(entry, "id");
      added.add(std::move(token));
    }
  }

  /// Tokens that tokenizer_config.json has and tokenizer.json has not, by id.
  void add_from_config(const json& config) {
    const json decoder = part_of(config, "added_tokens_decoder");
    if (!decoder.is_object()) return;
    for (const auto& item : decoder.items()) {
      detail::AddedToken token = detail::read_added_token(item.value());
      if (added.find(token.content) != nullptr) continue;
      const char* end = item.key().data() + item.key().size();
      const auto [parsed, error] = std::from_chars(item.key().data(), end, token.id);
      if (error != std::errc() || parsed != end || token.id < 0)
        throw TokenizerError("\"added_tokens_decoder\": expected token ids as keys, found \"" + item.key() + "\"");
      token.id = model.id_of(token.content).value_or(token.id);
      added.add(std::move(token));
    }
  }

  void read_config(const json& config, const json& special_map) {
    add_from_config(config);
    added.finish(normalizer);
    std::string pad = special_text(config, "pad_token");
    if (pad.empty()) pad = special_text(special_map, "pad_token");
    if (!pad.empty()) pad_id = id_of(pad);
    pad_left = detail::text_at(config, "padding_side", "right") == "left";
    truncate_left = detail::text_at(config, "truncation_side", "right") == "left";
    for (const auto& [token, id] : model.vocabulary()) {
      token_of.emplace(id, &token);
      vocabulary_size = std::max(vocabulary_size, id + 1);
    }
    vocabulary_size = std::max(vocabulary_size, added.largest_id() + 1);
  }

  std::optional<std::int64_t> id_of(std::string_view token) const {
    if (const detail::AddedToken* found = added.find(token)) return found->id;
    return model.id_of(token);
  }

  detail::Normalizer normalizer;
  detail::PreTokenizer pre_tokenizer;
  detail::Bpe model;
  detail::PostProcessor post_processor;
  detail::AddedTokens added;
  std::unordered_map<std::int64_t, const std::string*> token_of;
  std::optional<std::int64_t> pad_id;
  std::int64_t vocabulary_size = 0;
  bool pad_left = false;
  bool truncate_left = false;
};

Tokenizer::Tokenizer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::open(const fs::path& folder) {
  const fs::path file = folder / "tokenizer.json";
  const bool clip_files = !is_there(file) && is_there(folder / "vocab.json") && is_there(folder / "merges.txt");
  if (!clip_files && !is_there(file))
    throw TokenizerError("tokenizers: " + folder.string() +
                         ": tokenizer.json is missing (or vocab.json with merges.txt)");
  json config = optional_json(folder / "tokenizer_config.json");
  if (clip_files && !config.contains("pad_token")) config["pad_token"] = "<|endoftext|>";
  const json special_map = optional_json(folder / "special_tokens_map.json");
  try {
    auto parts = std::make_unique<Parts>(clip_files ? detail::clip_description(folder) : detail::read_json(file));
    parts->read_config(config, special_map);
    return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(parts)));
  } catch (const TokenizerError& error) {
    const std::string message = error.what();
    if (message.starts_with("tokenizers: ") && message.find(folder.string()) != std::string::npos) throw;
    throw TokenizerError("tokenizers: " + (clip_files ? folder : file).string() + ": " + message);
  }
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  detail::check_utf8(text);
  const Parts& parts = *parts_;
  std::vector<std::int64_t> ids;
  for (detail::Segment& segment : parts.added.split(text, parts.normalizer)) {
    if (segment.id) {
      ids.push_back(*segment.id);
      continue;
    }
    for (const std::string& piece : parts.pre_tokenizer({std::move(segment.text)})) parts.model.encode(piece, ids);
  }

  Encoding encoding;
  const detail::PostProcessor none;
  const detail::PostProcessor& around = options.add_special_tokens ? parts.post_processor : none;
  if (options.max_length > 0) {
    const auto limit = static_cast<std::size_t>(options.max_length);
    const std::size_t extra = around.before.size() + around.after.size();
    if (extra > limit)
      throw TokenizerError("tokenizers: max_length " + std::to_string(limit) + " has no room for " +
                           std::to_string(extra) + " special tokens");
    if (ids.size() > limit - extra) {
      encoding.dropped_tokens = ids.size() - (limit - extra);
      if (parts.truncate_left)
        ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(encoding.dropped_tokens));
      else
        ids.resize(limit - extra);
    }
  }
  encoding.ids = around.before;
  encoding.ids.insert(encoding.ids.end(), ids.begin(), ids.end());
  encoding.ids.insert(encoding.ids.end(), around.after.begin(), around.after.end());
  encoding.attention_mask.assign(encoding.ids.size(), 1);
  if (options.pad) {
    if (!parts.pad_id) throw TokenizerError("tokenizers: no padding token is configured");
    const auto target = static_cast<std::size_t>(std::max(options.max_length, 0));
    const std::size_t missing = target > encoding.ids.size() ? target - encoding.ids.size() : 0;
    encoding.ids.insert(parts.pad_left ? encoding.ids.begin() : encoding.ids.end(), missing, *parts.pad_id);
    encoding.attention_mask.insert(parts.pad_left ? encoding.attention_mask.begin() : encoding.attention_mask.end(),
                                   missing, 0);
  }
  return encoding;
}

std::string Tokenizer::decode(std::span<const std::int64_t> ids, bool skip_special_tokens) const {
  const std::string& suffix = parts_->model.end_of_word_suffix();
  std::string bytes;
  for (const std::int64_t id : ids) {
    if (const detail::AddedToken* added = parts_->added.find(id)) {
      if (!(skip_special_tokens && added->special)) bytes += detail::from_byte_alphabet(added->sought);
      continue;
    }
    const auto token = parts_->token_of.find(id);
    if (token == parts_->token_of.end())
      throw TokenizerError("tokenizers: id " + std::to_string(id) + " is not in the vocabulary of " +
                           std::to_string(parts_->vocabulary_size));
    std::string_view written = *token->second;
    const bool ends_word = !suffix.empty() && written.ends_with(suffix);
    if (ends_word) written.remove_suffix(suffix.size());
    bytes += detail::from_byte_alphabet(written);
    if (ends_word) bytes += ' ';
  }
  const std::string text = detail::with_replacements(bytes);
  return suffix.empty() ? text : trimmed(text);
}

std::optional<std::int64_t> Tokenizer::id_of(std::string_view token) const {
  return parts_->id_of(token);
}

std::optional<std::int64_t> Tokenizer::pad_id() const {
  return parts_->pad_id;
}

std::int64_t Tokenizer::vocabulary_size() const {
  return parts_->vocabulary_size;
}

}  // namespace reelfarm::tokenizers
