#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers {

struct EncodeOptions {
  bool add_special_tokens = true;  ///< what the post-processor adds, such as the beginning of the text
  int max_length = 0;              ///< tokens at most, special ones included; 0: no limit
  bool pad = false;                ///< fill up to max_length with the padding token
};

struct Encoding {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> attention_mask;  ///< 1 for tokens, 0 for padding
  std::size_t dropped_tokens = 0;            ///< tokens that max_length cut off
};

/// A byte-pair tokenizer read from tokenizer.json (the format of the `tokenizers` library), or from CLIP's vocab.json
/// and merges.txt. Gives the ids that transformers 5.23.0 gives for the same files. Safe to share between threads.
class Tokenizer {
 public:
  /// Reads a folder with tokenizer.json, or vocab.json and merges.txt, and tokenizer_config.json where there is one.
  /// Throws TokenizerError naming the file and what is not supported.
  static std::shared_ptr<const Tokenizer> open(const std::filesystem::path& folder);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// Special tokens that are written in the text, such as "<image>", become their ids. Throws InvalidUtf8, and
  /// TokenizerError when the special tokens alone are more than max_length.
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// The text of these ids. Bytes that are not UTF-8 become U+FFFD.
  std::string decode(std::span<const std::int64_t> ids, bool skip_special_tokens = false) const;

  /// The id of a token as the vocabulary spells it, for example "<|eot_id|>".
  std::optional<std::int64_t> id_of(std::string_view token) const;

  /// The padding token's id; nothing when none is configured.
  std::optional<std::int64_t> pad_id() const;

  /// One more than the largest id.
  std::int64_t vocabulary_size() const;

 private:
  struct Parts;
  explicit Tokenizer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace reelfarm::tokenizers
