#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace reelfarm::tokenizers::detail {

/// Byte-pair encoding of one piece of text: its characters, joined pair by pair in the order of the learnt merges.
/// O(n log n) in the length of the piece. Source: arXiv 1508.07909, and the `tokenizers` library for prefix, suffix,
/// unknown characters and ignore_merges.
class Bpe {
 public:
  /// Reads the "model" of a tokenizer file. Throws TokenizerError.
  explicit Bpe(const nlohmann::json& model);

  void encode(std::string_view piece, std::vector<std::int64_t>& ids) const;

  std::optional<std::int64_t> id_of(std::string_view token) const;
  const std::string& end_of_word_suffix() const { return suffix_; }
  const std::unordered_map<std::string, std::int64_t>& vocabulary() const { return vocabulary_; }

 private:
  struct Merge {
    std::int32_t rank;
    std::int32_t id;
  };
  struct Symbol {
    std::int32_t id;
    std::int32_t previous;
    std::int32_t next;
  };

  void read_merges(const nlohmann::json& merges);
  std::int64_t required_id(const std::string& token, const char* what) const;
  std::vector<std::int32_t> characters(std::string_view piece) const;
  bool append_bytes(std::string_view character, std::vector<std::int32_t>& ids) const;
  std::vector<std::int32_t> merged(const std::vector<std::int32_t>& ids) const;

  std::unordered_map<std::string, std::int64_t> vocabulary_;
  std::unordered_map<std::uint64_t, Merge> merges_;  // by (left id << 32 | right id)
  std::string prefix_;
  std::string suffix_;
  std::optional<std::int64_t> unknown_;
  bool fuse_unknown_ = false;
  bool byte_fallback_ = false;
  bool ignore_merges_ = false;
};

}  // namespace reelfarm::tokenizers::detail
