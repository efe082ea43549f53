#include "queue/task.hpp"

#include <stdexcept>

#include "queue/detail/enum_names.hpp"

namespace reelfarm::queue {
namespace {

constexpr detail::EnumNames<TaskKind, 3> kKinds{
    "task kind", {{{TaskKind::image, "image"}, {TaskKind::window, "window"}, {TaskKind::stitch, "stitch"}}}};
constexpr detail::EnumNames<TaskState, 8> kStates{"task state",
                                                  {{{TaskState::waiting, "waiting"},
                                                    {TaskState::ready, "ready"},
                                                    {TaskState::leased, "leased"},
                                                    {TaskState::done, "done"},
                                                    {TaskState::failed, "failed"},
                                                    {TaskState::poison, "poison"},
                                                    {TaskState::cancelled, "cancelled"},
                                                    {TaskState::corrupt, "corrupt"}}}};
constexpr detail::EnumNames<DependencyOn, 2> kDependencies{
    "dependency", {{{DependencyOn::tail, "tail"}, {DependencyOn::done, "done"}}}};
constexpr detail::EnumNames<FailureClass, 7> kFailures{"failure class",
                                                       {{{FailureClass::data, "data"},
                                                         {FailureClass::crash, "crash"},
                                                         {FailureClass::hang, "hang"},
                                                         {FailureClass::memory, "memory"},
                                                         {FailureClass::device, "device"},
                                                         {FailureClass::storage, "storage"},
                                                         {FailureClass::internal, "internal"}}}};

constexpr int kWindowDigits = 4;

}  // namespace

std::string_view to_string(TaskKind kind) {
  return kKinds.name(kind);
}
std::string_view to_string(TaskState state) {
  return kStates.name(state);
}
std::string_view to_string(DependencyOn on) {
  return kDependencies.name(on);
}
std::string_view to_string(FailureClass failure) {
  return kFailures.name(failure);
}
TaskKind task_kind_from(std::string_view word) {
  return kKinds.value(word);
}
TaskState task_state_from(std::string_view word) {
  return kStates.value(word);
}
DependencyOn dependency_on_from(std::string_view word) {
  return kDependencies.value(word);
}
FailureClass failure_class_from(std::string_view word) {
  return kFailures.value(word);
}

bool is_terminal(TaskState state) {
  return state != TaskState::waiting && state != TaskState::ready && state != TaskState::leased;
}

std::string task_id(std::string_view job, TaskKind kind, int window) {
  if (kind != TaskKind::window) return std::string(job) + "." + std::string(to_string(kind));
  std::string number = std::to_string(window);
  if (window < 0 || number.size() > kWindowDigits) {
    throw std::invalid_argument("task id: window " + number + " is outside 0..9999");
  }
  return std::string(job) + ".w" + std::string(kWindowDigits - number.size(), '0') + number;
}

}  // namespace reelfarm::queue
