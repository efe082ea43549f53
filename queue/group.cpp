#include "queue/group.hpp"

#include "queue/detail/enum_names.hpp"

namespace reelfarm::queue {
namespace {

constexpr detail::EnumNames<GroupState, 6> kStates{"group state",
                                                   {{{GroupState::starting, "starting"},
                                                     {GroupState::idle, "idle"},
                                                     {GroupState::busy, "busy"},
                                                     {GroupState::draining, "draining"},
                                                     {GroupState::failed, "failed"},
                                                     {GroupState::gone, "gone"}}}};

}  // namespace

std::string_view to_string(GroupState state) {
  return kStates.name(state);
}
GroupState group_state_from(std::string_view word) {
  return kStates.value(word);
}

}  // namespace reelfarm::queue
