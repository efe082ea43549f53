#include "worker/protocol/messages.hpp"

#include <nlohmann/json.hpp>

namespace reelfarm::worker {

using nlohmann::json;

// Field lists stand once: to_json and from_json are both made from them. Every field must be present when read.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(FileReference, path, sha256, bytes, frames)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TaskOrder, task, job, kind, window, take, attempt, nonce, folder, artifact_key,
                                   prompt, image, image_sha256, image_fit, tail, tail_sha256, width, height, steps,
                                   shift, guidance, seed, num_latents, overlap_latents, tail_latents, first_frame)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(StopOrder, task, drain)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Ready, fingerprint, bundle, bundle_hash, device, device_name, dtype, mesh, ranks,
                                   threads)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Tick, task, phase, step, steps, fraction)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(TailReady, task, file)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Done, task, file, metrics)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Failed, task, failure, message)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Released, task, step)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Note, task, text)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(InputLost, task, message)

namespace {

void to_json(json& object, const ShutdownOrder&) {
  object = json::object();
}
void from_json(const json&, ShutdownOrder&) {}

// In the order of Message's alternatives.
constexpr const char* kTypes[] = {"task", "stop",   "shutdown", "ready", "tick",      "tail",
                                  "done", "failed", "released", "note",  "input_lost"};
static_assert(std::size(kTypes) == std::variant_size_v<Message>);

// json's own conversions turn a number of another kind or size into any number, for 1e20 with undefined behaviour. So
// a field must be an integer where a default message has one, and after it was read it must still be the same.
void check_integers(const json& object, const json& pattern) {
  for (const auto& [name, expected] : pattern.items()) {
    const json& found = object.at(name);
    if (expected.is_object()) check_integers(found, expected);
    if (expected.is_number_integer() && !found.is_number_integer()) {
      throw ProtocolError("field '" + name + "' = " + found.dump() + " is no integer");
    }
  }
}

void check_kept(const json& object, const json& kept) {
  for (const auto& [name, value] : kept.items()) {
    const json& sent = object.at(name);
    if (value.is_object()) check_kept(sent, value);
    // As text: json takes 2^64 - 1 and -1 for equal.
    if (value.is_number_integer() && value.dump() != sent.dump()) {
      throw ProtocolError("field '" + name + "' = " + sent.dump() + " is out of range");
    }
  }
}

template <std::size_t index = 0>
Message read_alternative(const std::string& type, const json& object) {
  if constexpr (index == std::variant_size_v<Message>) {
    throw ProtocolError("message type '" + type + "' is not known; are agent and ranks of one version?");
  } else {
    if (type != kTypes[index]) return read_alternative<index + 1>(type, object);
    std::variant_alternative_t<index, Message> value;
    json pattern;
    to_json(pattern, value);
    check_integers(object, pattern);
    from_json(object, value);
    json kept;
    to_json(kept, value);
    check_kept(object, kept);
    return value;
  }
}

}  // namespace

std::string encode(const Message& message) {
  json object;
  std::visit([&object](const auto& value) { to_json(object, value); }, message);
  object["type"] = kTypes[message.index()];
  // Text from files and libraries may hold bytes that are not UTF-8: they are replaced, the message still arrives.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

Message decode(const std::string& line) {
  try {
    const json object = json::parse(line);
    return read_alternative(object.at("type").get<std::string>(), object);
  } catch (const json::exception& error) {
    throw ProtocolError("not a message: " + std::string(error.what()) + ": " + line.substr(0, 200));
  }
}

}  // namespace reelfarm::worker
