// Any bytes as the JSON documents of a job: read or refused with CodecError; what was read is written and read the
// same.
#include <cstdlib>
#include <string>
#include <string_view>

#include "coordinator/job_file.hpp"
#include "queue/codec.hpp"
#include "queue/errors.hpp"

namespace {

using namespace reelfarm;

template <typename Decode>
void round_trip(std::string_view text, const Decode& decode) {
  try {
    const std::string written = queue::encode(decode(text));
    if (queue::encode(decode(written)) != written) std::abort();
  } catch (const queue::CodecError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  round_trip(text, queue::decode_job_spec);
  round_trip(text, queue::decode_task_spec);
  round_trip(text, queue::decode_bundle_limits);
  round_trip(text, queue::decode_group);
  try {
    const std::string written = coordinator::to_text(coordinator::parse_job_file(text));
    if (coordinator::to_text(coordinator::parse_job_file(written)) != written) std::abort();
  } catch (const queue::CodecError&) {
  }
  return 0;
}
