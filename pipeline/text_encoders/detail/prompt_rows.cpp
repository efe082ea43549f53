#include "pipeline/text_encoders/detail/prompt_rows.hpp"

#include <algorithm>

#include "pipeline/text_encoders/errors.hpp"
#include "pipeline/weights/errors.hpp"

namespace reelfarm::text_encoders::detail {
namespace {

std::int64_t length(const std::vector<std::int64_t>& ids) {
  return static_cast<std::int64_t>(ids.size());
}

/// The end of the last header: one past the token that closes it. 0 when there is none.
std::int64_t end_of_last_header(const weights::ImagePromptSettings& settings, const std::vector<std::int64_t>& ids,
                                const ImageTokenIds& tokens) {
  // Where the tokenizer has no token that closes a header, the blank line after it marks the place.
  const std::int64_t mark = tokens.header_end.value_or(settings.double_return_token_id);
  const auto last = std::find(ids.rbegin(), ids.rend(), mark);
  return (ids.rend() - last) - (tokens.header_end || last == ids.rend() ? 0 : 1);
}

}  // namespace

PromptRows rows_of_text(const weights::PromptSettings& settings, std::vector<std::int64_t> ids) {
  PromptRows rows;
  rows.kept = {{settings.crop_start, length(ids)}};
  rows.padded_length = settings.crop_start + settings.max_length;
  rows.ids = std::move(ids);
  return rows;
}

PromptRows rows_of_image(const weights::ImagePromptSettings& settings, const std::vector<std::int64_t>& ids,
                         const ImageTokenIds& tokens) {
  const auto count = std::ranges::count(ids, tokens.image);
  if (count > 1) {
    throw PromptError("the prompt holds " + settings.image_token + ", which stands for the image; leave it out");
  }
  const std::int64_t start = settings.image_embed_start;
  const std::int64_t at = std::ranges::find(ids, tokens.image) - ids.begin();
  if (count == 0 || at != start || settings.image_embed_end - start != settings.image_embed_length) {
    throw weights::WeightError(
        "image_prompt: the template has its image token at " +
        (count == 0 ? "no token" : "token " + std::to_string(at)) + ", image_embed_start, _end and _length are " +
        std::to_string(start) + ", " + std::to_string(settings.image_embed_end) + " and " +
        std::to_string(settings.image_embed_length) + "; does the tokenizer belong to the template?");
  }
  PromptRows rows;
  rows.ids.assign(ids.begin(), ids.begin() + at);
  rows.ids.insert(rows.ids.end(), static_cast<std::size_t>(settings.image_embed_length), tokens.image);
  rows.ids.insert(rows.ids.end(), ids.begin() + at + 1, ids.end());

  const RowRange image{start, settings.image_embed_end, settings.image_interleave};
  // Text after the image stands this much later than in `ids`.
  const std::int64_t shift = settings.image_embed_length - 1;
  const std::int64_t end = length(rows.ids);
  if (settings.image_in_place) {
    if (settings.crop_start < start) rows.kept.push_back({settings.crop_start, start});
    rows.kept.push_back(image);
    rows.kept.push_back({std::max<std::int64_t>(settings.crop_start + shift, image.end), end});
  } else {
    rows.kept = {image, {settings.crop_start + shift, end}};
  }
  if (settings.assistant_header_tokens > 0) {
    RowRange& text = rows.kept.back();
    const std::int64_t cut_end = end_of_last_header(settings, ids, tokens) + shift;
    const std::int64_t cut_begin = cut_end - settings.assistant_header_tokens;
    if (cut_begin < text.begin || cut_end > end) {
      throw weights::WeightError("image_prompt: the template has no header of " +
                                 std::to_string(settings.assistant_header_tokens) + " tokens after the prompt (\"" +
                                 settings.header_end_token + "\"); set assistant_header_tokens to 0 if it should not");
    }
    const RowRange rest{cut_end, end};
    text.end = cut_begin;
    rows.kept.push_back(rest);
  }
  std::erase_if(rows.kept, [](const RowRange& range) { return range.begin >= range.end; });
  return rows;
}

}  // namespace reelfarm::text_encoders::detail
