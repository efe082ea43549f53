#include "queue/job.hpp"

#include "queue/detail/enum_names.hpp"
#include "queue/detail/random.hpp"

namespace reelfarm::queue {
namespace {

constexpr detail::EnumNames<JobState, 8> kStates{"job state",
                                                 {{{JobState::submitted, "submitted"},
                                                   {JobState::queued, "queued"},
                                                   {JobState::running, "running"},
                                                   {JobState::paused, "paused"},
                                                   {JobState::held, "held"},
                                                   {JobState::done, "done"},
                                                   {JobState::failed, "failed"},
                                                   {JobState::cancelled, "cancelled"}}}};
constexpr detail::EnumNames<ImageFit, 3> kFits{
    "image fit", {{{ImageFit::crop, "crop"}, {ImageFit::stretch, "stretch"}, {ImageFit::pad, "pad"}}}};
constexpr detail::EnumNames<Keep, 3> kKeeps{"keep",
                                            {{{Keep::final, "final"}, {Keep::reroll, "reroll"}, {Keep::all, "all"}}}};

constexpr std::size_t kIdDigits = 12;

}  // namespace

std::string_view to_string(JobState state) {
  return kStates.name(state);
}
std::string_view to_string(ImageFit fit) {
  return kFits.name(fit);
}
std::string_view to_string(Keep keep) {
  return kKeeps.name(keep);
}
JobState job_state_from(std::string_view word) {
  return kStates.value(word);
}
ImageFit image_fit_from(std::string_view word) {
  return kFits.value(word);
}
Keep keep_from(std::string_view word) {
  return kKeeps.value(word);
}

bool is_terminal(JobState state) {
  return state == JobState::done || state == JobState::failed || state == JobState::cancelled;
}

std::string make_job_id() {
  return "j" + detail::random_word(kIdDigits);
}

bool is_job_id(std::string_view text) {
  if (text.size() != kIdDigits + 1 || text[0] != 'j') return false;
  return text.substr(1).find_first_not_of(detail::kWordDigits) == std::string_view::npos;
}

}  // namespace reelfarm::queue
