#include "pipeline/tokenizers/detail/post_processor.hpp"

#include "pipeline/tokenizers/detail/json_access.hpp"
#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

using nlohmann::json;

/// ["</s>", 2]
std::int64_t pair_id(const json& description, const char* key) {
  const json& pair = array_at(description, key);
  if (pair.size() != 2) throw TokenizerError(std::string("post_processor: \"") + key + "\": expected [token, id]");
  return as_id(pair[1], key);
}

PostProcessor read_template(const json& description) {
  PostProcessor processor;
  bool behind_text = false;
  for (const json& piece : array_at(description, "single")) {
    if (piece.is_object() && piece.contains("Sequence")) {
      if (behind_text) throw TokenizerError("post_processor TemplateProcessing: the text occurs twice");
      behind_text = true;
      continue;
    }
    const std::string name = text_at(object_at(piece, "SpecialToken"), "id");
    const json& token = object_at(object_at(description, "special_tokens"), name.c_str());
    for (const json& id : array_at(token, "ids"))
      (behind_text ? processor.after : processor.before).push_back(as_id(id, "ids"));
  }
  if (!behind_text) throw TokenizerError("post_processor TemplateProcessing: the text does not occur");
  return processor;
}

/// Each step works on what the one before has made, so later ones end up outside.
PostProcessor read_sequence(const json& description) {
  PostProcessor whole;
  for (const json& step : array_at(description, "processors")) {
    PostProcessor part = read_post_processor(step);
    whole.before.insert(whole.before.begin(), part.before.begin(), part.before.end());
    whole.after.insert(whole.after.end(), part.after.begin(), part.after.end());
  }
  return whole;
}

}  // namespace

PostProcessor read_post_processor(const json& description) {
  if (description.is_null()) return {};
  const std::string type = type_of(description, "post_processor");
  if (type == "ByteLevel") return {};  // moves offsets, not ids
  if (type == "Sequence") return read_sequence(description);
  if (type == "TemplateProcessing") return read_template(description);
  if (type == "RobertaProcessing" || type == "BertProcessing")
    return {{pair_id(description, "cls")}, {pair_id(description, "sep")}};
  throw TokenizerError("post_processor \"" + type +
                       "\" is not supported; known: Sequence, ByteLevel, TemplateProcessing, RobertaProcessing, "
                       "BertProcessing");
}

}  // namespace reelfarm::tokenizers::detail
